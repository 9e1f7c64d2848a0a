"""What the workspace asks of the Spark that its runs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class SparkServer(Protocol):
    """A Spark Connect server of ours, as it is started and stopped."""

    @property
    def remote(self) -> str:
        """Address for ``SPARK_REMOTE``, its token included."""

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None if it does not run."""

    def start(self) -> Any:
        """Start it and return when it answers; raise EngineFailed if it does not."""

    def stop(self) -> None:
        """End it at once; what it was writing is not committed."""


class StartSpark(Protocol):
    """Makes a server that has not been started."""

    def __call__(self, log: Path) -> SparkServer:
        """Return a server that writes its log there."""


class Seat(Protocol):
    """The right of one task to use Spark."""

    @property
    def remote(self) -> str:
        """Address of the server, without a session."""

    @property
    def server(self) -> str:
        """Which server it is, for those who come after; empty: one of our own, which ends with us."""

    def end(self, session: str) -> None:
        """End the session: when this returns, nothing that it ran will be committed.

        Raises EngineFailed if that is not known.
        """

    def release(self, session: str) -> None:
        """End the session of a task that has waited for all that it wrote: nobody has to be sure of it.

        Raises EngineFailed if it is not known to have ended.
        """


class Spark(Protocol):
    """Gives Spark to tasks."""

    def take_seat(self) -> Seat | None:
        """Return a seat, or None while there is no server that takes new work."""

    def adopt(self) -> Seat:
        """Return a seat for a task that a workspace before us started."""

    def describe(self) -> str:
        """Return in a line why there is none, for whoever waits."""

    def close(self) -> None:
        """End what is ours."""
