"""Connecting to the control database; :mod:`.transaction` is what is done with a connection."""

from __future__ import annotations

import select
from collections.abc import Mapping
from typing import Any

import psycopg
import sqlalchemy
from psycopg import IsolationLevel
from sqlalchemy import URL, Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState

from airflow_dataloader.control.bounded_wait import ANSWER_SECONDS, BoundedConnection
from airflow_dataloader.control.times import read_times
from airflow_dataloader.control.transaction import listen
from airflow_dataloader.control.url import ControlUrl, Place, read_url
from airflow_dataloader.exceptions import ConfigurationError

#: libpq's parameters where the URL says nothing. Times in seconds, tcp_user_timeout in milliseconds.
_DEFAULTS = {
    "application_name": "airflow_dataloader",
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

#: Said when connecting, also to a pooler: neither the environment nor the database's setting counts then.
_ENCODING = {"client_encoding": "UTF8"}

#: Seconds after which a pooled connection is replaced: below the hour that a Lakebase token lives.
_RECYCLE = 1800

#: What the server says when it ends a session: shutting down, by a person, or because it was idle too long.
_ENDED = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04")

_LAY_IDLE = "dataloader_lay_idle"


def create_engine(url: str, *, answer_seconds: float | None = ANSWER_SECONDS) -> Engine:
    """Return an engine for the control database; nothing is connected yet.

    ``url`` is in libpq's or SQLAlchemy's form; ``answer_seconds`` is how long an answer is waited for, None:
    without end. Neither the engine nor its errors show the password. Raises ConfigurationError where the URL
    cannot be read, or would go without TLS to another machine.
    """
    read = read_url(url)
    shown = URL.create(
        "postgresql+psycopg",
        host=read.place.host,
        port=int(read.place.port) if read.place.port.isdecimal() else None,
        database=read.place.database,
    )
    engine = sqlalchemy.create_engine(
        shown,
        creator=lambda: _connect(read, answer_seconds),
        pool_recycle=_RECYCLE,
        pool_reset_on_return=None,
        hide_parameters=True,
        use_native_hstore=False,
    )
    event.listen(engine, "reset", _roll_back)
    event.listen(engine, "checkin", _lay_down)
    event.listen(engine, "checkout", _replace_if_closed)
    event.listen(engine, "handle_error", _note_loss)
    listen(engine)
    return engine


def open_connection(url: str) -> psycopg.Connection[Any]:
    """Open a connection of the caller's own, for statements of any length, that reads times as ours do.

    Raises ConfigurationError as :func:`create_engine` does, and the driver's error where nobody answers.
    """
    return _connect(read_url(url), None)


def place_of(url: str) -> Place:
    """Return where ``url`` leads, for messages."""
    return read_url(url).place


def _connect(read: ControlUrl, answer_seconds: float | None) -> psycopg.Connection[Any]:
    parameters = {**_DEFAULTS, **read.parameters, **_ENCODING}
    # Prepared statements would live in a session that a transaction pooler gives to somebody else.
    try:
        connection = BoundedConnection.connect(**parameters, prepare_threshold=None)  # type: ignore[arg-type]
    except psycopg.ProgrammingError as error:
        raise _unusable(error, read.parameters) from error
    connection.answer_seconds = answer_seconds
    # For migrations, whose BEGIN is the driver's; the other one is in transaction.py.
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    return read_times(connection)


def _unusable(error: psycopg.Error, parameters: Mapping[str, str]) -> ConfigurationError:
    """Name the parameters that the driver did not take, and no value: one may be a secret."""
    named = ", ".join(name for name in parameters if name in str(error))
    return ConfigurationError(
        f"The control database's URL cannot be used{f': {named} has a wrong value' if named else ''}.",
        field="DATALOADER_CONTROL_URL",
        fix="write it as libpq's documentation says, or remove it",
    )


def _roll_back(connection: object, _entry: ConnectionPoolEntry, state: PoolResetState) -> None:
    """Do what the pool does with a connection that comes back, but have one that is lost closed in silence.

    The pool logs a traceback then, also where whoever had the connection handles the outage.
    """
    assert isinstance(connection, psycopg.Connection), "the control database is opened with psycopg"
    if state.transaction_was_reset or connection.closed:
        return
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


def _note_loss(context: ExceptionContext) -> None:
    """Tell the pool that a session is over whose end the server has announced.

    The connection looks open until somebody reads from it again; without this the pool would try to roll back
    on it, and log a traceback about an outage that its caller handles. What somebody's trigger says of
    another server that it cannot reach is an error of a statement, and ends no session.
    """
    cause = context.original_exception
    if not isinstance(cause, psycopg.Error) or cause.diag.severity_nonlocalized == "ERROR":
        return
    if (cause.sqlstate or "").startswith(_ENDED):
        context.is_disconnect = True


def _lay_down(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.info[_LAY_IDLE] = True


def _replace_if_closed(connection: object, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
    """Have the pool open a new connection in place of one that the server closed while it lay idle.

    Costs no round trip: a server says nothing to an idle connection except good-bye, so one with something
    to read is dead, or about to be.
    """
    assert isinstance(connection, psycopg.Connection), "the control database is opened with psycopg"
    if not entry.info.pop(_LAY_IDLE, False):
        return
    if connection.closed or _has_something_to_read(connection):
        raise DisconnectionError("the server closed the connection")


def _has_something_to_read(connection: psycopg.Connection[Any]) -> bool:
    # Not select(), which knows no descriptor above 1,023.
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return bool(poller.poll(0))
