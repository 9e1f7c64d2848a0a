"""Connections that wait for an answer for a bounded time.

The server's own limits end what takes too long at a server that lives, and TCP's end a connection whose
other end is gone. Neither notices a pooler or proxy that stays connected while the server behind it is gone:
an answer would be waited for without end, by a heartbeat as by a trigger, although a new connection gets one.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.rows import TupleRow

_Answer = TypeVar("_Answer")

#: Seconds. More than all that travels together may take by the limits of
#: :data:`airflow_dataloader.control.transaction.LIMITS`: a lock, a statement and a COMMIT.
ANSWER_SECONDS = 75.0


class BoundedConnection(psycopg.Connection[TupleRow]):
    """Closes itself, and raises OperationalError, where no whole answer comes within ``answer_seconds``."""

    #: None: without end.
    answer_seconds: float | None = None
    #: What came by a signal while an answer was waited for: somebody's timeout, an interrupt.
    interrupted: BaseException | None = None

    def wait(self, gen: Generator[Any, Any, _Answer], *args: Any, **kwargs: Any) -> _Answer:
        """Wait as psycopg does, which looks up every tenth of a second, but not for ever."""
        bounded = gen if self.answer_seconds is None else self._bounded(gen, self.answer_seconds)
        try:
            return super().wait(bounded, *args, **kwargs)
        except psycopg.Error:
            raise
        except BaseException as error:
            # Nobody reads the answer any more. What else is done with the connection fails, and must not pass
            # for the reason.
            self.interrupted = error
            self.close()
            raise

    def _bounded(self, gen: Generator[Any, Any, _Answer], seconds: float) -> Generator[Any, Any, _Answer]:
        until = time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > until:
                    break
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: _Answer = end.value
            return answer
        # Nobody can say what the server has made of what it was asked; the connection is of no more use.
        self.close()
        raise psycopg.OperationalError(f"no answer for {seconds:.0f} s, although the connection stands")
