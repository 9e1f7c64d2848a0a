"""Styles of texts that the source has and loads have not: the JVM's driver and exact values need theirs."""

from __future__ import annotations

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.postgresql.relation import kind_sql

#: What a new connection of the login begins with, where that writes dates or floats otherwise than loads.
_UNLIKE = """
SELECT string_agg(concat(name, ' = ', reset_val), ' and ' ORDER BY name) FROM pg_settings
WHERE (name = 'DateStyle' AND reset_val NOT LIKE 'ISO%'
    OR name = 'extra_float_digits' AND reset_val::int <= 0)"""


def unlike_styles(ask: Ask, source: SourceTable, query: str | None) -> str | None:
    """Return the source's styles that its view, or the query, is not evaluated by; None: there are none."""
    asked = _UNLIKE
    if query is None:
        asked += f" AND {kind_sql(source)} = 'v'"
    ((found,),) = ask(asked)
    return None if found is None else str(found)
