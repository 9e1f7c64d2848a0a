"""How a row of a table with ``id`` and ``at`` is set to load by each strategy."""

from __future__ import annotations

from typing import Any

_WINDOW = {"primary_key_cols": "id", "incremental_column": "at"}
_ROLLING = {"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 30}

#: Strategy, or ``keep`` for the other kind of ``rolling``, to the row's values.
STRATEGIES: dict[str, dict[str, Any]] = {
    "full": {"load_strategy": "full"},
    "incremental": {"load_strategy": "incremental", **_WINDOW},
    "append_only": {"load_strategy": "append_only", "incremental_column": "at"},
    "check_and_load": {"load_strategy": "check_and_load", **_WINDOW},
    "chunked_backfill": {"load_strategy": "chunked_backfill", **_WINDOW},
    "rolling": _ROLLING,
    "keep": {**_ROLLING, "rolling_retention": "keep"},
}
