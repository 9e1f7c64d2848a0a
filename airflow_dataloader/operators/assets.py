"""The assets that loads update: what a consumer's schedule names."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

#: Declared on the load task, because tables are known only when it runs; events of other assets are dropped.
LOADED_TABLES = AssetAlias("dataloader_loaded_tables")

_SCHEME = "x-dataloader"


def table_asset(target: Sequence[str]) -> Asset:
    """Return the asset of a target's three-level name: ``x-dataloader://catalog/schema/table``.

    One place builds it: a consumer matches on name and URI, as Airflow has normalised them.
    """
    uri = f"{_SCHEME}://{'/'.join(quote(part, safe='') for part in target)}"
    return Asset(name=uri, uri=uri)
