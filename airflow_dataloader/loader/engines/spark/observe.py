"""Counts rows while a statement writes them, in the same pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Counts(Protocol):
    """Results of an observation; ``get`` waits for the statement that it belongs to."""

    @property
    def get(self) -> Mapping[str, Any]:
        """Name to counted value."""


def observed(frame: DataFrame, counts: Mapping[str, str]) -> tuple[DataFrame, Counts]:
    """Return the frame with a counter for each aggregate SQL expression of ``counts`` put into it."""
    # Chosen by the frame, not by pyspark's process-wide switch: both kinds may live in one process.
    if "connect" in type(frame).__module__:
        from pyspark.sql.connect.functions import expr as connect_expr
        from pyspark.sql.connect.observation import Observation as ConnectObservation

        observation: Any = ConnectObservation()
        columns: list[Any] = [connect_expr(sql).alias(name) for name, sql in counts.items()]
    else:
        from pyspark.sql import Observation
        from pyspark.sql.functions import expr

        observation = Observation()
        columns = [expr(sql).alias(name) for name, sql in counts.items()]
    return frame.observe(observation, *columns), observation
