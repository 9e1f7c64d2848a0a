"""``dataloader db migrate | status | downgrade``: bringing the schema to the version this package needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, select, table, text
from sqlalchemy.exc import DBAPIError

from airflow_dataloader.control.bounded_wait import ANSWER_SECONDS
from airflow_dataloader.control.connect import create_engine, place_of
from airflow_dataloader.control.errors import translated
from airflow_dataloader.control.tables import SCHEMA, VERSION_TABLE
from airflow_dataloader.control.transaction import LAST, NO_TRANSACTION_TIMEOUT, transaction
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, NotMigrated
from airflow_dataloader.resources import sql_folder

#: Any number that no other software is likely to lock; migrators of one database wait for each other on it.
_LOCK = 0x6164_6C6D_6967

#: How long a migrator waits for another, and then for readers and writers of a table that it changes.
_TURN = "10min"
_TABLE_LOCK = "30s"

#: What a claim and a load do with the tables, and with the sequences that number loads and backfills (an
#: identity's asks for no right): each right that the URL's role does not have.
_MISSING_RIGHTS = text("""
SELECT r.named || ' on control.' || r.of FROM (VALUES
    ('table_control', 'SELECT'), ('table_control', 'UPDATE'), ('table_control_dbconfig', 'SELECT'),
    ('historical_metadata', 'SELECT'), ('historical_metadata', 'INSERT'), ('historical_metadata', 'UPDATE'),
    ('installation', 'SELECT'), ('backfill', 'SELECT'), ('backfill', 'INSERT'), ('backfill', 'UPDATE'),
    ('load_chunk', 'SELECT'), ('load_chunk', 'INSERT'), ('load_chunk', 'UPDATE')) AS r(of, named)
WHERE NOT has_any_column_privilege('control.' || r.of, r.named)
UNION ALL
SELECT 'USAGE on ' || s.name FROM (VALUES ('control.historical_metadata'), ('control.backfill')) AS t(name)
CROSS JOIN LATERAL (SELECT pg_get_serial_sequence(t.name, 'id') AS name) s
JOIN pg_attribute a ON a.attrelid = CAST(t.name AS regclass) AND a.attname = 'id' AND a.attidentity = ''
WHERE NOT has_sequence_privilege(s.name, 'USAGE, UPDATE')""")

#: Alembic's scripts reach their connection through a global. Only taken by who holds the database's lock.
_ALEMBIC = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class MigrationStatus:
    """Where a database stands. ``current`` is None before the first migration."""

    current: str | None
    #: The version that this package needs.
    head: str
    #: Revisions still to run, oldest first; empty also when the database is newer than the package.
    pending: tuple[str, ...]


def upgrade(url: str, *, timestamps_zone: str | None = None, report: Callable[[str], None] = print) -> None:
    """Migrate to this package's version, in one transaction: either all of it happens or nothing.

    A database in the documents' original shape is adopted with its data; ``timestamps_zone`` is then the
    zone of its timestamps. ``report`` gets a sentence for each thing a person should know. Safe to call from
    several processes at once. Raises ControlUnavailable, ConfigurationError and NotMigrated.
    """
    with _migrating(url) as connection:
        _refuse_encoding(connection, url)
        _ensure_schema(connection)
        config = _config(connection, timestamps_zone=timestamps_zone, report=report)
        before = _current(connection)
        _refuse_newer(config, before)
        with _ALEMBIC:
            command.upgrade(config, "head")
        after = _current(connection)
    report(
        f"Control database: version {after}, was {before or 'empty'}."
        if before != after
        else f"Control database: version {after}, nothing to do."
    )


def status(url: str) -> MigrationStatus:
    """Return where the database stands, changing nothing and waiting for nobody."""
    with _connected(url, lambda error: translated(error, str(place_of(url))) or error) as connection:
        current = _current(connection)
        known = _known(_config(connection))
    if current is not None and current not in known:
        return MigrationStatus(current=current, head=known[-1], pending=())
    start = 0 if current is None else known.index(current) + 1
    return MigrationStatus(current=current, head=known[-1], pending=tuple(known[start:]))


def missing_rights(url: str) -> list[str]:
    """Return the rights at the tables and their sequences that the URL's role lacks for loading.

    Opens a transaction like any other, and so raises NotMigrated where none can be opened: the schema has
    another version, or the installation's own row is lost.
    """
    engine = create_engine(url)
    try:
        with transaction(engine, readonly=True) as connection:
            return list(connection.execute(_MISSING_RIGHTS, execution_options=LAST).scalars())
    finally:
        engine.dispose()


def downgrade(url: str, revision: str) -> None:
    """Go back to ``revision`` (``base``: remove everything), in one transaction.

    What the older shape has no place for is lost. Refused while loads live, and refused to ``base`` while
    there are rows. Raises what :func:`upgrade` raises.
    """
    with _migrating(url) as connection:
        current = _current(connection)
        if current is None:
            raise NotMigrated("There is nothing to downgrade.", fix="dataloader db migrate")
        config = _config(connection)
        _refuse_newer(config, current)
        targets = ["base", *_known(config)]
        if revision not in targets:
            raise ConfigurationError(
                f"There is no version {revision!r}.",
                field="revision",
                fix=f"use one of {', '.join(targets)}",
            )
        if targets.index(revision) > targets.index(current):
            raise ConfigurationError(
                f"The control database is at version {current}, and a downgrade does not lead to {revision}.",
                field="revision",
                fix="dataloader db migrate goes forward",
            )
        with _ALEMBIC:
            command.downgrade(config, revision)


@contextmanager
def _connected(
    url: str,
    meaning: Callable[[DBAPIError | psycopg.Error], Exception],
    *,
    answer_seconds: float | None = ANSWER_SECONDS,
) -> Iterator[Connection]:
    """Yield a connection in a transaction of its own; errors leave it as ``meaning`` has them."""
    engine = create_engine(url, answer_seconds=answer_seconds)
    try:
        with engine.begin() as connection:
            yield connection
    except (DBAPIError, psycopg.Error) as error:
        raise meaning(error) from error
    finally:
        engine.dispose()


@contextmanager
def _migrating(url: str) -> Iterator[Connection]:
    """Yield a connection in a transaction that holds the migrators' lock until its end."""
    with _connected(url, lambda error: _explained(error, url), answer_seconds=None) as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_TURN}'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(NO_TRANSACTION_TIMEOUT))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{_TABLE_LOCK}'"))
        yield connection


def _explained(error: DBAPIError | psycopg.Error, url: str) -> Exception:
    cause = error.orig if isinstance(error, DBAPIError) else error
    meaning = translated(error, str(place_of(url)))
    if isinstance(meaning, ControlUnavailable) and meaning.sqlstate != "55P03":
        return meaning
    diagnostic = cause.diag if isinstance(cause, psycopg.Error) else None
    facts = [diagnostic.message_primary, diagnostic.message_detail] if diagnostic else [str(cause)]
    said = ". ".join(fact.rstrip(".") for fact in facts if fact)
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    fix = {
        "42501": "migrate as the role that owns the schema control and its tables",
        "55P03": "stop what holds a lock on the schema's tables, and migrate again",
        "0A000": "drop the view or trigger named above, migrate, and create it again",
        "2BP01": "drop the object named above, migrate, and create it again",
    }.get(state or "", "mend what the database says, and migrate again")
    return ConfigurationError(
        f"The migration was refused and nothing was changed: {said}.", fix=fix, sqlstate=state
    )


def _refuse_encoding(connection: Connection, url: str) -> None:
    """Raise ConfigurationError where the database could not hold every text."""
    encoding = connection.execute(text("SELECT current_setting('server_encoding')")).scalar_one()
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The control database {place_of(url)} has the encoding {encoding}, which cannot hold all names.",
            field="encoding",
            fix="make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in the URL",
        )


def _ensure_schema(connection: Connection) -> None:
    """Create the schema; where it exists, no right to create one is needed."""
    there = text("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :name)")
    if not connection.execute(there, {"name": SCHEMA}).scalar():
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))


def _config(connection: Connection, **attributes: object) -> Config:
    config = Config(attributes={"connection": connection, **attributes})
    # ConfigParser reads % as an interpolation.
    config.set_main_option("script_location", str(sql_folder() / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _current(connection: Connection) -> str | None:
    there = text("SELECT to_regclass(:name) IS NOT NULL")
    if not connection.execute(there, {"name": f"{SCHEMA}.{VERSION_TABLE}"}).scalar():
        return None
    own = table(VERSION_TABLE, column("version_num"), schema=SCHEMA)
    versions = connection.execute(select(own.c.version_num).order_by(own.c.version_num)).scalars().all()
    if len(versions) > 1:
        raise ConfigurationError(
            f"{SCHEMA}.{VERSION_TABLE} holds {len(versions)} rows ({', '.join(versions)}); "
            "a schema has one version.",
            field="version_num",
            fix="delete the rows of the versions that the schema does not have",
        )
    return versions[0] if versions else None


def _known(config: Config) -> list[str]:
    """Return the versions that this package can migrate to, oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def _refuse_newer(config: Config, current: str | None) -> None:
    if current is not None and current not in _known(config):
        raise NotMigrated(
            f"The control database is at version {current}, which this package does not know.",
            fix="install the package version that migrated it, or a newer one",
        )
