"""A change of a source's table that its owner asks for while the table is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from tests.source_configs import connect_beside
from tests.waiting import eventually


@contextmanager
def queued_change(source_db: psycopg.Connection, table: str = "t") -> Iterator[None]:
    """Have a table changed as soon as nobody reads it any more; the block begins when the change waits."""
    with connect_beside(source_db, autocommit=True) as owner:

        def change() -> None:
            with suppress(psycopg.errors.QueryCanceled):
                owner.execute(f"ALTER TABLE {table} ADD COLUMN late int")

        changing = threading.Thread(target=change)
        changing.start()
        waits = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
        pid = owner.info.backend_pid
        eventually("the wait for the lock", lambda: source_db.execute(waits, (pid,)).fetchone() == (1,))
        try:
            yield
        finally:
            owner.cancel_safe()
            changing.join(30)
