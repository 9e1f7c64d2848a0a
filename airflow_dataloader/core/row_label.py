"""The name of a row in a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_dataloader.core.config_snapshot import text


def row_label(snapshot: Mapping[str, Any]) -> str:
    """Name a row in a message, whether or not it can be loaded: its id, its source and its target."""
    source = [text(snapshot, f"source_table_{part}") for part in ("catalog", "schema", "name")]
    source = source if source[-1] else []
    target = [text(snapshot, f"target_{part}") or "?" for part in ("catalog", "schema", "table")]
    return (
        f"config_id {snapshot.get('config_id')} "
        f"({'.'.join(part for part in source if part) or 'query'} → {'.'.join(target)})"
    )
