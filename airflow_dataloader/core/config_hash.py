"""Digests of a configuration: what a backfill's plan, and what a watermark, depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from airflow_dataloader.core.config_snapshot import secret_scope, split_columns, text
from airflow_dataloader.core.strategy import Strategy

#: Snapshot fields that say what is read.
_SOURCE_FIELDS = (
    "db_config_key",
    "db_type",
    "source_table_catalog",
    "source_table_schema",
    "source_table_name",
    "query",
)

#: Snapshot fields that decide which rows a load reads and where they go. A commit whose load had other
#: values here cannot be adopted by a later load.
_CONTENT_FIELDS = (
    *_SOURCE_FIELDS,
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

#: Those that matter to one strategy alone.
_STRATEGY_FIELDS: Mapping[str, tuple[str, ...]] = {
    Strategy.ROLLING: ("load_timezone", "rolling_retention"),
    Strategy.CHUNKED_BACKFILL: ("chunk_size",),
}

#: Those that a watermark depends on, beside target and key: what is read, and by which cursor.
_WATERMARK_FIELDS = (*_SOURCE_FIELDS, "incremental_column")

#: Connection keys whose secrets say who logs in, and not where.
_LOGIN = frozenset({"user", "password"})

#: Connection options by which the same table shows a login other rows, and what they are by default.
_SHOWN_BY = {"row_security": "off"}


def content_hash(snapshot: Mapping[str, Any]) -> str:
    """Return a digest of the fields that decide which rows a load reads and where they go."""
    names = _CONTENT_FIELDS + _STRATEGY_FIELDS.get(snapshot.get("load_strategy") or "", ())
    body = {name: snapshot.get(name) for name in names}
    return _digest({**body, **_where(snapshot), **_shown_by(snapshot)})


def watermark_hash(snapshot: Mapping[str, Any]) -> str:
    """Return a digest of what a watermark depends on: another source, target, cursor or key starts anew."""
    names = [text(snapshot, f"target_{part}") or "" for part in ("catalog", "schema", "table")]
    body = {name: text(snapshot, name) for name in _WATERMARK_FIELDS}
    target, key = [name.casefold() for name in names], sorted(split_columns(snapshot.get("primary_key_cols")))
    return _digest({**body, "target": target, "key": key, **_where(snapshot), **_shown_by(snapshot)})


def _where(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names of the secrets that say where the source is; the scope holds others by these names."""
    named = {key: name for key, name in (snapshot.get("db_config_value") or {}).items() if key not in _LOGIN}
    return {"db_config_value": named, "db_kv_scope": secret_scope(snapshot)}


def _shown_by(snapshot: Mapping[str, Any]) -> dict[str, str]:
    """Return the options by which a login sees other rows than by default."""
    given = {name: str(value) for name, value in (snapshot.get("connection_options") or {}).items()}
    return {name: given[name] for name, default in _SHOWN_BY.items() if given.get(name, default) != default}


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
