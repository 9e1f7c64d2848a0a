"""The assets that loads update: what a consumer's schedule names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

#: Declared on the load task, because tables are known only when it runs; events of other assets are dropped.
LOADED_TABLES = AssetAlias("dataloader_loaded_tables")

_SCHEME = "x-dataloader"

#: Characters that Airflow keeps of an asset's name and of its URI.
_MOST_CHARACTERS = 1_500

_DIGITS = 64


def table_asset(target: Sequence[str]) -> Asset:
    """Return the asset of a target's three-level name: ``x-dataloader://catalog/schema/table``.

    One place builds it: a consumer matches on name and URI, as Airflow has normalised them. What is longer
    than Airflow allows is cut, and ends with ``~`` and the SHA-256 digest of the whole.
    """
    uri = f"{_SCHEME}://{'/'.join(quote(part, safe='') for part in target)}"
    if len(uri) > _MOST_CHARACTERS:
        uri = f"{uri[: _MOST_CHARACTERS - _DIGITS - 1]}~{hashlib.sha256(uri.encode()).hexdigest()}"
    return Asset(name=uri, uri=uri)
