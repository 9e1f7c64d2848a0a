"""Spark that somebody else runs: the server that ``SPARK_REMOTE`` names."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.spark.address import server_of

#: Seconds between tries to end a session at a server that does not answer, and how many there are.
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class ExternalSeat:
    """A seat that only knows the address."""

    remote: str = field(repr=False)

    @property
    def server(self) -> str:
        """Return the address, without its token."""
        return server_of(self.remote)

    def end(self, session: str) -> None:
        """End the session, with patience: nobody but the server can say that it is over."""
        from airflow_dataloader.workspace.spark.sessions import end_session

        for pause in _PAUSES:
            try:
                end_session(self.remote, session)
            except EngineFailed:
                time.sleep(pause)
            else:
                return
        end_session(self.remote, session)

    def release(self, session: str) -> None:
        """End the session: that is all that can be done for a server that is not ours."""
        self.end(session)


@dataclass(frozen=True)
class LostSeat:
    """What a task holds whose server is not the one that is used now: nobody can end its session."""

    server: str
    remote = ""

    def end(self, session: str) -> None:
        """Raise EngineFailed."""
        where = self.server or "a server of the workspace's own"
        raise EngineFailed(f"Session {session} is one of {where}, which is not used any more.")

    def release(self, session: str) -> None:
        """Leave it to the server, which forgets it in time."""


class ExternalSpark:
    """A server that is there, is not ours, and is left alone."""

    def __init__(self, remote: str) -> None:
        self._remote = remote

    def take_seat(self) -> ExternalSeat:
        """Return a seat."""
        return ExternalSeat(self._remote)

    def adopt(self) -> ExternalSeat:
        """Return the same."""
        return self.take_seat()

    def describe(self) -> str:
        """Return nothing: it is always there, as far as we know."""
        return ""

    def close(self) -> None:
        """Do nothing."""
