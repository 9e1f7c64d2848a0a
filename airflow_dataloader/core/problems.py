"""Whether a row can be loaded; if not, the column at fault, the problem and the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_dataloader.core.chunk_size import parse_chunk_size
from airflow_dataloader.core.clustering import MOST_CLUSTERED
from airflow_dataloader.core.config_snapshot import choices, is_flag, split_columns, text
from airflow_dataloader.core.distance import parse_distance
from airflow_dataloader.core.strategy import (
    KEEPS_GONE_ROWS,
    NEEDS_CURSOR,
    NEEDS_KEY,
    CursorType,
    DeletePolicy,
    EmptySourcePolicy,
    LoadColumnsPolicy,
    NullCursorPolicy,
    RollingRetention,
    SchemaPolicy,
    Strategy,
    ValuePolicy,
)
from airflow_dataloader.core.zones import SHADOWED

#: Source types that the documents name. A row of any of them can be claimed.
DB_TYPES = frozenset({"mssql", "oracle", "postgresql", "snowflake", "snowflake_pem", "clickhouse"})

#: Those that can be loaded, too: :mod:`airflow_dataloader.sources.registry` has their dialects.
LOADED_DB_TYPES = frozenset({"postgresql"})

#: Keys of ``db_config_value`` that every source needs; each value is the name of a secret.
CONNECTION_KEYS = ("host", "port", "database", "user", "password")

#: Columns that hold a span of time or a number, by their readers and what to write.
_SIZES: Mapping[str, tuple[Callable[[str | None], object], str]] = {
    "lookback": (parse_distance, "write '15 minutes', '2 days' or '1000'"),
    "chunk_size": (parse_chunk_size, "write '7 days' or '250000'"),
}


_NAME_KEY = "name the key columns, separated by commas"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a row: the column, what is wrong, and what to do about it."""

    field: str
    what: str
    fix: str

    def __str__(self) -> str:
        """Return one sentence naming field, fault and fix."""
        return f"{self.field}: {self.what}. Fix: {self.fix}"


def problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    """Return what stops this row from being loaded, in the order a person would mend it."""
    if unreadable := _key_problems(snapshot):
        return unreadable
    found = _source_problems(snapshot) + _target_problems(snapshot)
    found += _strategy_problems(snapshot) + _policy_problems(snapshot) + _delete_problems(snapshot)
    return found + _cluster_problems(snapshot)


def _missing(field: str, needed_by: str, fix: str) -> Problem:
    return Problem(field, f"is empty, and {needed_by} needs it", fix)


def _key_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    """Return why the key cannot be read, which everything else that looks at it would stumble over."""
    try:
        split_columns(snapshot.get("primary_key_cols"))
    except ValueError as error:
        return [Problem("primary_key_cols", str(error), _NAME_KEY)]
    return []


def _source_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    key, db_type = text(snapshot, "db_config_key"), text(snapshot, "db_type")
    if key is None:
        return [Problem("db_config_key", "is empty", "name a row of table_control_dbconfig")]
    if db_type is None:
        return [
            Problem(
                "db_config_key",
                f"no source is called {key!r}",
                "add it to table_control_dbconfig, or name one that is there",
            )
        ]
    if db_type not in DB_TYPES:
        return [
            Problem(
                "db_type",
                f"source {key!r} has the unknown type {db_type!r}",
                f"use {' or '.join(sorted(LOADED_DB_TYPES))}",
            )
        ]
    found = _secret_problems(snapshot, key, db_type)
    if not text(snapshot, "source_table_name") and not text(snapshot, "query"):
        found.append(
            Problem(
                "source_table_name", "is empty, and so is query", "name the source table, or give a query"
            )
        )
    return found


def _secret_problems(snapshot: Mapping[str, Any], key: str, db_type: str) -> list[Problem]:
    """Return which items of a source name no secret."""
    found = []
    value = snapshot.get("db_config_value")
    names = value if isinstance(value, Mapping) else {}
    if db_type == "snowflake_pem" and not isinstance(value, Mapping):
        found.append(
            Problem(
                "db_config_value",
                f"of source {key!r} is no object of names of secrets",
                "set it to a JSON object, or to {}",
            )
        )
    for item in CONNECTION_KEYS:
        if db_type != "snowflake_pem" and not isinstance(names.get(item), str):
            found.append(
                Problem(
                    f"db_config_value.{item}",
                    f"source {key!r} names no secret for it",
                    "set it to the name of a secret",
                )
            )
    found += [
        Problem(
            f"db_config_value.{item}",
            f"of source {key!r} is not the name of a secret",
            "set it to the name of a secret, or remove it",
        )
        for item, name in names.items()
        if item not in CONNECTION_KEYS and not isinstance(name, str)
    ]
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
        Problem(column, "is empty", fix)
        for resolved, (column, fix) in columns.items()
        if not text(snapshot, resolved)
    ]


def _strategy_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    strategy = text(snapshot, "load_strategy")
    if strategy not in choices(Strategy):
        what = "is empty" if strategy is None else f"{strategy!r} is not a strategy"
        return [Problem("load_strategy", what, f"use one of {', '.join(Strategy)}")]
    found = []
    if strategy in NEEDS_CURSOR and not text(snapshot, "incremental_column"):
        found.append(_missing("incremental_column", strategy, "name the column that grows with every change"))
    if strategy in NEEDS_KEY and not split_columns(snapshot.get("primary_key_cols")):
        found.append(_missing("primary_key_cols", strategy, _NAME_KEY))
    cursor_type = snapshot.get("incremental_type")
    if cursor_type and cursor_type not in choices(CursorType):
        found.append(
            Problem(
                "incremental_type",
                f"{cursor_type!r} is not a cursor type",
                f"use one of {', '.join(CursorType)}, or leave it empty",
            )
        )
    if strategy == Strategy.ROLLING:
        found += _rolling_problems(snapshot)
    return found


def _rolling_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    found = []
    if not text(snapshot, "rolling_column"):
        found.append(_missing("rolling_column", "rolling", "name the date or timestamp column"))
    days = snapshot.get("rolling_days")
    if days is None or days <= 0:
        found.append(
            Problem(
                "rolling_days",
                f"is {days}, and rolling needs at least 1",
                "set the number of days to keep fresh",
            )
        )
    zone = text(snapshot, "load_timezone") or ""
    if zone.upper() in SHADOWED:
        found.append(
            Problem(
                "load_timezone",
                f"is {zone}, by which sources mean an offset that has no summer time",
                "use the name of a place, such as Europe/Berlin or Europe/Athens",
            )
        )
    return found


def _policy_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    policies: dict[str, type[StrEnum]] = {
        "null_cursor_policy": NullCursorPolicy,
        "schema_policy": SchemaPolicy,
        "value_policy": ValuePolicy,
        "empty_source_policy": EmptySourcePolicy,
        "rolling_retention": RollingRetention,
        "delete_policy": DeletePolicy,
        "load_columns_policy": LoadColumnsPolicy,
    }
    found = [
        Problem(name, f"{snapshot[name]!r} is not a choice", f"use one of {', '.join(kind)}")
        for name, kind in policies.items()
        if snapshot.get(name) and snapshot[name] not in choices(kind)
    ]
    if not is_flag(snapshot.get("load_full")):
        what = f"{snapshot['load_full']!r} means neither yes nor no"
        found.append(Problem("load_full", what, "set it to 'true', or leave it empty"))
    for name, (parse, fix) in _SIZES.items():
        try:
            parse(text(snapshot, name))
        except ValueError as error:
            found.append(Problem(name, str(error), fix))
    number = snapshot.get("num_partitions")
    if number is not None and not 1 <= number <= 256:
        found.append(
            Problem(
                "num_partitions",
                f"{number} is not between 1 and 256",
                "set it to the number of parallel reads, or leave it empty",
            )
        )
    return found


def _delete_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps a row from looking for deleted rows, if it is to."""
    policy, strategy = snapshot.get("delete_policy"), text(snapshot, "load_strategy")
    if policy not in {DeletePolicy.SCAN, DeletePolicy.SOFT}:
        return []
    found = []
    keeps = strategy == Strategy.ROLLING and snapshot.get("rolling_retention") == RollingRetention.KEEP
    if strategy in set(Strategy) - KEEPS_GONE_ROWS and not keeps:
        found.append(
            Problem(
                "delete_policy",
                f"is {policy}, and {strategy} replaces its rows anyhow",
                f"set it to {DeletePolicy.IGNORE}",
            )
        )
    elif strategy not in NEEDS_KEY and not split_columns(snapshot.get("primary_key_cols")):
        found.append(_missing("primary_key_cols", f"delete_policy {policy}", _NAME_KEY))
    if not text(snapshot, "delete_cron"):
        fix = "say when to look for deleted rows, such as '0 3 * * 0'"
        found.append(_missing("delete_cron", f"delete_policy {policy}", fix))
    return found


def _cluster_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps a row's target from being clustered by its key, if it is to be."""
    if not snapshot.get("cluster_by_key"):
        return []
    key, strategy = split_columns(snapshot.get("primary_key_cols")), text(snapshot, "load_strategy")
    if not key and strategy not in NEEDS_KEY:
        fix = f"{_NAME_KEY}, or set cluster_by_key = false"
        return [_missing("primary_key_cols", "cluster_by_key", fix)]
    if len(key) > MOST_CLUSTERED:
        return [
            Problem(
                "cluster_by_key",
                f"is true, the key has {len(key)} columns, and Delta clusters by {MOST_CLUSTERED} at most",
                "set cluster_by_key = false",
            )
        ]
    return []
