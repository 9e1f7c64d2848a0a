"""Queries over queries: the one place that writes SELECT and FROM around parts that others have quoted."""

from __future__ import annotations


def select(items: str, rows: str, where: str = "") -> str:
    """Return the query of ``items`` over ``rows``, a table or a query of this function's."""
    source = f"({rows})" if rows.startswith("SELECT ") else rows
    return f"SELECT {items} FROM {source}" + (f" WHERE {where}" if where else "")  # noqa: S608
