"""Taking over a database in the documents' original shape, and giving it back.

The rule: keep all data, decide nothing in a person's place. What the new shape cannot hold stops the
migration before anything has changed, with a sentence that names the rows; what it can hold but a load would
refuse is left as it is and reported, and the claim will say so row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, DateTime, Integer, LargeBinary, String, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from airflow_dataloader.control.grants import Grant, read_grants
from airflow_dataloader.control.migrations import DOCUMENTS_TABLES, is_filled
from airflow_dataloader.control.tables import METADATA, SCHEMA
from airflow_dataloader.core.zones import SHADOWED
from airflow_dataloader.exceptions import ConfigurationError

Report = Callable[[str], None]

#: Columns of the documents that hold a time, table by table.
_TIMES = {
    "table_control_dbconfig": ("created_at", "last_modified_at"),
    "table_control": (
        "last_load_date_time",
        "next_load_date_time",
        "last_status_date_time",
        "created_at",
        "last_modified_at",
    ),
    "historical_metadata": ("load_queued_time", "load_start_time", "load_end_time", "created_at"),
    "table_control_history": ("changed_at",),
}

#: Types of a column that can stand for ours, as information_schema calls them. A narrower number is none:
#: what a function returns or a load counts would not fit; nor is a text that is filled up with spaces.
_KINDS = {
    Boolean: {"boolean"},
    BigInteger: {"bigint"},
    Integer: {"integer", "bigint"},
    DateTime: {"timestamp with time zone"},
    LargeBinary: {"bytea"},
    postgresql.JSONB: {"jsonb"},
    String: {"character varying", "text"},
}

_NUMBERS = {"smallint", "integer"}

#: What is odd about old rows, and what becomes of them: a sentence, and the query of its number.
_ODDITIES = {
    "{} rows have a last_status that is none of the five; they keep it until their next claim.": (
        "SELECT count(*) FROM control.table_control"
        " WHERE last_status NOT IN ('Queued', 'In Progress', 'Succeeded', 'Failed')"
    ),
    "{} rows are Queued or In Progress in the old system; stop it, and they will be given up as stuck.": (
        "SELECT count(*) FROM control.table_control WHERE last_status IN ('Queued', 'In Progress')"
    ),
    "{} records of loads fit no row, or several rows of one source table; they get no config_id.": (
        "SELECT count(*) FROM control.historical_metadata h WHERE 1 <>"
        " (SELECT count(*) FROM control.table_control t WHERE t.control_key = h.control_key)"
    ),
}


@dataclass(frozen=True, kw_only=True)
class OldDatabase:
    """What is needed later of the database as it was."""

    #: The zone that its timestamps were read in; None if it held none.
    zone: str | None
    #: Rights on what is made anew.
    grants: tuple[Grant, ...]


def prepare(bind: Connection, *, zone: str | None, report: Report) -> OldDatabase:
    """Bring the documents' tables to zoned timestamps, our control_key and a foreign key.

    ``zone`` is the IANA zone that their zone-less timestamps were written in; it may be None where there are
    no rows. Raises ConfigurationError where it is needed and missing, or unknown.
    """
    filled = any(is_filled(bind, table) for table in DOCUMENTS_TABLES)
    if filled:
        zone = _checked_zone(bind, zone)
        _report_triggers(bind, report)
    grants = read_grants(bind)
    bind.execute(text("DROP VIEW control.table_control_history_vw"))
    _convert_times(bind, "timestamp without time zone", "timestamptz", zone or "UTC")
    _own_control_key(bind)
    _ensure_foreign_key(bind)
    for sentence, query in _ODDITIES.items():
        if count := bind.execute(text(query)).scalar_one():
            report(sentence.format(count))
    return OldDatabase(zone=zone if filled else None, grants=grants)


def finish(bind: Connection, old: OldDatabase) -> None:
    """Refuse columns that no load could work with, and two active rows with one destination.

    Remembers the zone for a downgrade.
    """
    _refuse_other_columns(bind)
    query = """
        SELECT resolved_destination, string_agg(config_id::text, ', ' ORDER BY config_id) AS rows
        FROM control.table_control WHERE is_active AND resolved_destination IS NOT NULL
        GROUP BY resolved_destination HAVING count(*) > 1 ORDER BY 1 LIMIT 20
    """
    doubles = bind.execute(text(query)).all()
    if doubles:
        listed = "; ".join(f"{row.resolved_destination} by config_id {row.rows}" for row in doubles)
        raise ConfigurationError(
            f"Active rows share a destination, each would undo the other's loads: {listed}.",
            field="destination_table_name",
            fix="decide which row stays, UPDATE the others with is_active = false, and migrate again",
        )
    bind.execute(text("UPDATE control.installation SET timestamps_zone = :zone"), {"zone": old.zone})


def _refuse_other_columns(bind: Connection) -> None:
    """Refuse a database whose tables lack columns, or have shorter ones or other types than is written."""
    query = text(
        "SELECT table_name, column_name, data_type, character_maximum_length"
        " FROM information_schema.columns WHERE table_schema = :schema"
    )
    found = {(row.table_name, row.column_name): row for row in bind.execute(query, {"schema": SCHEMA})}
    wrong, changes = [], []
    for table in METADATA.sorted_tables:
        for column in table.columns:
            there = found.get((table.name, column.name))
            kinds = next((names for kind, names in _KINDS.items() if isinstance(column.type, kind)), None)
            wanted = column.type.compile(dialect=bind.dialect)
            if there is None:
                wrong.append(f"{table.name}.{column.name} is missing")
                changes.append(f"ALTER TABLE {SCHEMA}.{table.name} ADD COLUMN {column.name} {wanted}")
            elif kinds is not None and there.data_type not in kinds:
                wrong.append(f"{table.name}.{column.name} is {there.data_type}")
                # A number that is widened keeps its default, the next of a sequence say.
                drop = "" if there.data_type in _NUMBERS else f"ALTER COLUMN {column.name} DROP DEFAULT, "
                changes.append(
                    f"ALTER TABLE {SCHEMA}.{table.name} {drop}"
                    f"ALTER COLUMN {column.name} TYPE {wanted} USING {column.name}::{wanted}"
                )
            elif _is_shorter(there.character_maximum_length, column.type):
                wrong.append(f"{table.name}.{column.name} holds {there.character_maximum_length} characters")
                changes.append(f"ALTER TABLE {SCHEMA}.{table.name} ALTER COLUMN {column.name} TYPE {wanted}")
    if wrong:
        raise ConfigurationError(
            f"This database is not in the documents' shape: {', '.join(wrong)}.",
            field=wrong[0].split(" ")[0],
            fix=f"{'; '.join(changes)}; then migrate again",
        )


def _is_shorter(there: int | None, wanted: TypeEngine[Any]) -> bool:
    """Return whether a column of so many characters (None: any number) may be too short for what comes."""
    if there is None or not isinstance(wanted, String):
        return False
    return wanted.length is None or there < wanted.length


def release(bind: Connection) -> OldDatabase:
    """Drop the view; return what is needed to give zones and rights back once the rest is gone."""
    own = bind.execute(text("SELECT timestamps_zone FROM control.installation")).one_or_none()
    if own is None:
        raise ConfigurationError(
            "control.installation is empty, so that the zone of the old timestamps is not known.",
            field="timestamps_zone",
            fix="restore that row from a backup of this database",
        )
    zone = own.timestamps_zone
    grants = read_grants(bind)
    bind.execute(text("DROP VIEW control.table_control_history_vw"))
    return OldDatabase(zone=zone, grants=grants)


def give_back(bind: Connection, old: OldDatabase) -> None:
    """Turn timestamps back to zone-less ones, in the zone they came from; UTC if they came from none."""
    _convert_times(bind, "timestamp with time zone", "timestamp", old.zone or "UTC")


def _checked_zone(bind: Connection, zone: str | None) -> str:
    server = bind.execute(text("SHOW timezone")).scalar_one()
    if zone is None:
        named = "Europe/Berlin" if server.upper() in SHADOWED else server
        raise ConfigurationError(
            "This database holds rows whose timestamps have no zone.",
            field="timestamps_zone",
            fix=f"name the zone they were written in (the server's is {server}):"
            f" dataloader db migrate --timestamps-zone {named}",
        )
    if zone.upper() in SHADOWED:
        raise ConfigurationError(
            f"PostgreSQL takes {zone} for an offset that has no summer time.",
            field="timestamps_zone",
            fix="use the name of a place, such as Europe/Berlin or Europe/Athens",
        )
    known = text("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = :zone)")
    if not bind.execute(known, {"zone": zone}).scalar():
        raise ConfigurationError(
            f"{zone!r} is not a time zone that this PostgreSQL knows.",
            field="timestamps_zone",
            fix="use an IANA name such as Europe/Berlin or UTC",
        )
    return zone


def _report_triggers(bind: Connection, report: Report) -> None:
    query = text(
        "SELECT tgrelid::regclass::text AS relation, tgname FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM pg_class"
        " WHERE relnamespace = 'control'::regnamespace)"
    )
    for row in bind.execute(query):
        report(
            f"{row.relation} has a trigger {row.tgname} of its own; it stays. If it writes"
            " table_control_history, edits will be recorded twice: then drop it."
        )


def _convert_times(bind: Connection, old: str, new: str, zone: str) -> None:
    columns = text(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'control'"
        " AND table_name = :table AND data_type = :old AND column_name = ANY(:names)"
    )
    quoted = bind.execute(text("SELECT quote_literal(:zone)"), {"zone": zone}).scalar_one()
    for table, names in _TIMES.items():
        found = bind.execute(columns, {"table": table, "old": old, "names": list(names)}).scalars()
        changes = [f"ALTER COLUMN {name} TYPE {new} USING {name} AT TIME ZONE {quoted}" for name in found]
        if changes:
            bind.exec_driver_sql(f"ALTER TABLE control.{table} {', '.join(changes)}")


def _own_control_key(bind: Connection) -> None:
    """Replace a control_key that pgcrypto computes; the values are the same, but NULL parts count as ''."""
    generated = text(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute"
        " ON attrelid = adrelid AND attnum = adnum"
        " WHERE adrelid = 'control.table_control'::regclass AND attname = 'control_key'"
    )
    if "source_key" in (bind.execute(generated).scalar() or ""):
        return
    bind.exec_driver_sql(
        "ALTER TABLE control.table_control DROP COLUMN control_key,"
        " ADD COLUMN control_key BYTEA GENERATED ALWAYS AS (control.source_key("
        "source_table_catalog, source_table_schema, source_table_name)) STORED"
    )
    bind.exec_driver_sql("CREATE INDEX idx_table_control_control_key ON control.table_control (control_key)")


def _ensure_foreign_key(bind: Connection) -> None:
    """Add the documents' foreign key where it is missing; refuse rows that break it."""
    present = text(
        "SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f'"
        " AND conrelid = 'control.table_control'::regclass"
        " AND confrelid = 'control.table_control_dbconfig'::regclass)"
    )
    if bind.execute(present).scalar():
        return
    dangling = text(
        "SELECT db_config_key FROM control.table_control t WHERE db_config_key IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM control.table_control_dbconfig s WHERE s.db_config_key = t.db_config_key)"
        " GROUP BY 1 ORDER BY 1 LIMIT 20"
    )
    keys = list(bind.execute(dangling).scalars())
    if keys:
        raise ConfigurationError(
            f"Rows of table_control name sources that do not exist: {', '.join(keys)}.",
            field="db_config_key",
            fix="add them to table_control_dbconfig, or set db_config_key to NULL on those rows,"
            " and migrate again",
        )
    bind.exec_driver_sql(
        "ALTER TABLE control.table_control ADD CONSTRAINT table_control_db_config_key_fkey"
        " FOREIGN KEY (db_config_key) REFERENCES control.table_control_dbconfig"
        " ON DELETE SET NULL ON UPDATE CASCADE"
    )
