"""Parts of queries that several verbs write, around names and parts that others have quoted."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_dataloader.core.names import quoted


def select(items: str, rows: str, where: str = "") -> str:
    """Return the query of ``items`` over ``rows``, a table or a query of this function's."""
    source = f"({rows})" if rows.startswith("SELECT ") else rows
    return f"SELECT {items} FROM {source}" + (f" WHERE {where}" if where else "")  # noqa: S608


def present(keys: Iterable[str], qualifier: str = "") -> str:
    """Return the condition that no column of a key is NULL; ``qualifier`` as in ``t.``."""
    return " AND ".join(f"{qualifier}{quoted(key)} IS NOT NULL" for key in keys)


def same_keys(keys: Iterable[str], left: str, right: str) -> str:
    """Return the condition that two rows have one key; ``left`` and ``right`` are their qualifiers."""
    return " AND ".join(f"{left}{quoted(key)} = {right}{quoted(key)}" for key in keys)
