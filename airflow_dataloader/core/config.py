"""The configuration of one load, frozen by its claim and read by its loader."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from airflow_dataloader.core.lookback import parse_lookback
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.strategy import (
    NEEDS_CURSOR,
    NEEDS_KEY,
    CursorType,
    EmptySourcePolicy,
    NullCursorPolicy,
    SchemaPolicy,
    Strategy,
    ValuePolicy,
)

#: Source types that the documents name; ``sources`` says which of them can be loaded.
DB_TYPES = frozenset({"mssql", "oracle", "postgresql", "snowflake", "snowflake_pem", "clickhouse"})

#: Keys of ``db_config_value`` that every source needs; each value is the name of a secret.
CONNECTION_KEYS = ("host", "port", "database", "user", "password")

#: Snapshot fields that decide which rows a load reads and where they go. A commit whose load had other
#: values here cannot be adopted by a later load.
_CONTENT_FIELDS = (
    "db_config_key",
    "db_type",
    "source_table_catalog",
    "source_table_schema",
    "source_table_name",
    "query",
    "target_catalog",
    "target_schema",
    "target_table",
    "load_strategy",
    "incremental_column",
    "incremental_type",
    "primary_key_cols",
    "rolling_column",
    "rolling_days",
    "lookback",
    "null_cursor_policy",
    "schema_policy",
    "value_policy",
)

_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with a row: the column, what is wrong, and what to do about it."""

    field: str
    what: str
    fix: str

    def __str__(self) -> str:
        """Return one sentence naming field, fault and fix."""
        return f"{self.field}: {self.what}. Fix: {self.fix}"


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """A table's name at its source; parts that the source does not have are None."""

    catalog: str | None
    schema: str | None
    name: str | None

    def __str__(self) -> str:
        """Return the dotted name, for messages only."""
        return ".".join(part for part in (self.catalog, self.schema, self.name) if part)


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """Everything that decides what a load does. Made from a snapshot; see :meth:`from_snapshot`."""

    config_id: int
    db_config_key: str
    db_type: str
    #: Connection key to secret name, and the scope that holds the secrets.
    secret_names: Mapping[str, str]
    secret_scope: str
    connection_options: Mapping[str, str]
    source: SourceTable
    query: str | None
    target: TargetName
    strategy: Strategy
    load_full: bool
    incremental_column: str | None
    #: None: taken from the source's own type.
    incremental_type: CursorType | None
    #: Watermark at the claim, as the source's own text.
    incremental_value: str | None
    #: Overlap with the last window: a time span, or a number for integer and decimal cursors; None: default.
    lookback: timedelta | int | None
    primary_key: tuple[str, ...]
    num_partitions: int | None
    partition_column: str | None
    lower_bound: str | None
    upper_bound: str | None
    null_cursor_policy: NullCursorPolicy
    schema_policy: SchemaPolicy
    value_policy: ValuePolicy
    empty_source_policy: EmptySourcePolicy
    max_runtime_minutes: int
    #: sha256 over the fields that decide content, hexadecimal.
    content_hash: str
    snapshot: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> LoadConfig:
        """Build the configuration; :func:`problems` must find nothing wrong with the snapshot."""
        found = problems(snapshot)
        if found:
            raise ValueError("; ".join(str(problem) for problem in found))
        cursor_type = snapshot.get("incremental_type")
        return cls(
            config_id=int(snapshot["config_id"]),
            db_config_key=snapshot["db_config_key"],
            db_type=snapshot["db_type"],
            secret_names=dict(snapshot["db_config_value"]),
            secret_scope=snapshot.get("db_kv_scope") or "azure-keyvault",
            connection_options={k: str(v) for k, v in (snapshot.get("connection_options") or {}).items()},
            source=SourceTable(
                catalog=_text(snapshot, "source_table_catalog"),
                schema=_text(snapshot, "source_table_schema"),
                name=_text(snapshot, "source_table_name"),
            ),
            query=_text(snapshot, "query"),
            target=TargetName(
                catalog=snapshot["target_catalog"],
                schema=snapshot["target_schema"],
                table=snapshot["target_table"],
            ),
            strategy=Strategy(snapshot["load_strategy"]),
            load_full=_flag(snapshot.get("load_full")),
            incremental_column=_text(snapshot, "incremental_column"),
            incremental_type=CursorType(cursor_type) if cursor_type else None,
            incremental_value=snapshot.get("incremental_value"),
            lookback=parse_lookback(_text(snapshot, "lookback")),
            primary_key=split_columns(snapshot.get("primary_key_cols")),
            num_partitions=snapshot.get("num_partitions"),
            partition_column=_text(snapshot, "partition_column"),
            lower_bound=_text(snapshot, "lower_bound"),
            upper_bound=_text(snapshot, "upper_bound"),
            null_cursor_policy=_choice(NullCursorPolicy, snapshot, "null_cursor_policy", "include"),
            schema_policy=_choice(SchemaPolicy, snapshot, "schema_policy", "evolve"),
            value_policy=_choice(ValuePolicy, snapshot, "value_policy", "fail"),
            empty_source_policy=_choice(EmptySourcePolicy, snapshot, "empty_source_policy", "fail"),
            max_runtime_minutes=int(snapshot.get("max_runtime_minutes") or 180),
            content_hash=content_hash(snapshot),
            snapshot=snapshot,
        )

    @property
    def label(self) -> str:
        """Name the row in a message: its id, its source and its target."""
        return row_label(self.snapshot)


def row_label(snapshot: Mapping[str, Any]) -> str:
    """Name a row in a message, whether or not it can be loaded: its id, its source and its target."""
    source = [_text(snapshot, f"source_table_{part}") for part in ("catalog", "schema", "name")]
    target = [_text(snapshot, f"target_{part}") or "?" for part in ("catalog", "schema", "table")]
    return (
        f"config_id {snapshot.get('config_id')} "
        f"({'.'.join(part for part in source if part) or 'query'} → {'.'.join(target)})"
    )


def content_hash(snapshot: Mapping[str, Any]) -> str:
    """Return a digest of the fields that decide which rows a load reads and where they go."""
    body = {name: snapshot.get(name) for name in _CONTENT_FIELDS}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def split_columns(text: str | None) -> tuple[str, ...]:
    """Split a column list: commas between names, double quotes around a name that holds a comma."""
    if not text or not text.strip():
        return ()
    row = next(csv.reader([text.replace("\n", " ")], skipinitialspace=True))
    return tuple(name for name in (part.strip() for part in row) if name)


def problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    """Return what stops this row from being loaded, in the order a person would mend it."""
    found = _source_problems(snapshot) + _target_problems(snapshot)
    found += _strategy_problems(snapshot) + _policy_problems(snapshot)
    return found


def _source_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    key, db_type = _text(snapshot, "db_config_key"), _text(snapshot, "db_type")
    if key is None:
        return [Problem(field="db_config_key", what="is empty", fix="name a row of table_control_dbconfig")]
    if db_type is None:
        return [
            Problem(
                field="db_config_key",
                what=f"no source is called {key!r}",
                fix="add it to table_control_dbconfig, or name one that is there",
            )
        ]
    if db_type not in DB_TYPES:
        return [
            Problem(
                field="db_type",
                what=f"source {key!r} has the unknown type {db_type!r}",
                fix=f"use one of {', '.join(sorted(DB_TYPES))}",
            )
        ]
    found = []
    value = snapshot.get("db_config_value")
    names = value if isinstance(value, Mapping) else {}
    for item in CONNECTION_KEYS:
        if db_type != "snowflake_pem" and not isinstance(names.get(item), str):
            found.append(
                Problem(
                    field=f"db_config_value.{item}",
                    what=f"source {key!r} names no secret for it",
                    fix="set it to the name of a secret",
                )
            )
    if not _text(snapshot, "source_table_name") and not _text(snapshot, "query"):
        found.append(
            Problem(
                field="source_table_name",
                what="is empty, and so is query",
                fix="name the source table, or give a query",
            )
        )
    return found


def _target_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    columns = {
        "target_catalog": ("destination_table_catalog", "name the catalog"),
        "target_schema": (
            "destination_table_schema",
            "name the schema, or give the source a default_target_schema",
        ),
        "target_table": ("destination_table_name", "name the table"),
    }
    return [
        Problem(field=column, what="is empty", fix=fix)
        for resolved, (column, fix) in columns.items()
        if not _text(snapshot, resolved)
    ]


def _strategy_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    text = _text(snapshot, "load_strategy")
    if text not in set(Strategy):
        what = "is empty" if text is None else f"{text!r} is not a strategy"
        return [Problem(field="load_strategy", what=what, fix=f"use one of {', '.join(Strategy)}")]
    found = []
    if text in NEEDS_CURSOR and not _text(snapshot, "incremental_column"):
        found.append(
            Problem(
                field="incremental_column",
                what=f"is empty, and {text} needs it",
                fix="name the column that grows with every change",
            )
        )
    if text in NEEDS_KEY and not split_columns(snapshot.get("primary_key_cols")):
        found.append(
            Problem(
                field="primary_key_cols",
                what=f"is empty, and {text} needs it",
                fix="name the key columns, separated by commas",
            )
        )
    cursor_type = snapshot.get("incremental_type")
    if cursor_type and cursor_type not in set(CursorType):
        found.append(
            Problem(
                field="incremental_type",
                what=f"{cursor_type!r} is not a cursor type",
                fix=f"use one of {', '.join(CursorType)}, or leave it empty",
            )
        )
    if text == Strategy.ROLLING:
        found += _rolling_problems(snapshot)
    return found


def _rolling_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    found = []
    if not _text(snapshot, "rolling_column"):
        found.append(
            Problem(
                field="rolling_column",
                what="is empty, and rolling needs it",
                fix="name the date or timestamp column",
            )
        )
    days = snapshot.get("rolling_days")
    if days is None or days <= 0:
        found.append(
            Problem(
                field="rolling_days",
                what=f"is {days}, and rolling needs at least 1",
                fix="set the number of days to keep fresh",
            )
        )
    return found


def _policy_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    choices: dict[str, type[StrEnum]] = {
        "null_cursor_policy": NullCursorPolicy,
        "schema_policy": SchemaPolicy,
        "value_policy": ValuePolicy,
        "empty_source_policy": EmptySourcePolicy,
    }
    found = [
        Problem(field=name, what=f"{snapshot[name]!r} is not a choice", fix=f"use one of {', '.join(choice)}")
        for name, choice in choices.items()
        if snapshot.get(name) and snapshot[name] not in set(choice)
    ]
    try:
        parse_lookback(_text(snapshot, "lookback"))
    except ValueError as error:
        found.append(Problem(field="lookback", what=str(error), fix="write '15 minutes', '2 days' or '1000'"))
    number = snapshot.get("num_partitions")
    if number is not None and not 1 <= number <= 256:
        found.append(
            Problem(
                field="num_partitions",
                what=f"{number} is not between 1 and 256",
                fix="set it to the number of parallel reads, or leave it empty",
            )
        )
    return found


def _text(snapshot: Mapping[str, Any], name: str) -> str | None:
    value = snapshot.get(name)
    return value if isinstance(value, str) and value.strip() else None


def _flag(value: Any) -> bool:
    return str(value).strip().casefold() in {"true", "1", "yes", "y"} if value is not None else False


def _choice(choice: type[_Choice], snapshot: Mapping[str, Any], name: str, default: str) -> _Choice:
    return choice(snapshot.get(name) or default)
