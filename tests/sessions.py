"""What a test's sessions do at its source, and a gate that holds their reads up."""

from __future__ import annotations

from typing import Any

import psycopg

#: Any number that nobody else locks.
_LOCK = 471_147

#: SQL that waits at the gate while it is closed.
PASSES_THE_GATE = f"pg_advisory_xact_lock_shared({_LOCK})"


class Gate:
    """Closed from its making until it is opened, or the connection ends. A database has one."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute(f"SELECT pg_advisory_lock({_LOCK})")

    def open(self) -> None:
        """Let all readers through."""
        self._connection.execute("SELECT pg_advisory_unlock_all()")


def sessions(source: psycopg.Connection[Any], name: str = "%", *, condition: str = "true") -> int:
    """Return how many other sessions whose name is like ``name`` there are in the source's database.

    A server takes a moment to see that a client has gone.
    """
    found = source.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        f"AND pid <> pg_backend_pid() AND application_name LIKE %s AND ({condition})",
        (name,),
    ).fetchone()
    assert found is not None
    return int(found[0])


def at_the_gate(source: psycopg.Connection[Any], name: str = "%") -> bool:
    """Return whether a session of such a name stands at the gate."""
    return sessions(source, name, condition="wait_event = 'advisory'") > 0


def sleeping(source: psycopg.Connection[Any]) -> bool:
    """Return whether a read is asleep at the source."""
    return sessions(source, condition="state = 'active' AND query LIKE '%%pg_sleep%%'") > 0


def wake(source: psycopg.Connection[Any]) -> None:
    """End the reads that are asleep at the source, as a loader does over its second connection."""
    source.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    )
