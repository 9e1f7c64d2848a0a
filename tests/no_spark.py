"""What stands for Spark in a workspace whose runs use none."""

from __future__ import annotations

from airflow_dataloader.workspace.spark.external import ExternalSeat, ExternalSpark

_NOWHERE = "sc://localhost:1"


class NoSpark(ExternalSpark):
    """A server that nobody asks for anything."""

    def __init__(self) -> None:
        super().__init__(_NOWHERE)

    def take_seat(self) -> ExternalSeat:
        return NoSeat(_NOWHERE)


class NoSeat(ExternalSeat):
    """A seat at it."""

    def end(self, session: str) -> None:
        """Nothing was opened."""
