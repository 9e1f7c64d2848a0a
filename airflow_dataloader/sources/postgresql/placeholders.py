"""``?`` in SQL: an operator to PostgreSQL, a parameter to its JDBC driver."""

from __future__ import annotations

from airflow_dataloader.sources.postgresql.opaque import opaque_parts


def jdbc_sql(sql: str) -> str:
    """Return ``sql`` with every ``?`` outside strings, names and comments doubled, as the driver wants it."""
    written, position = [], 0
    for part in opaque_parts(sql):
        written += [sql[position : part.start].replace("?", "??"), sql[part.start : part.end]]
        position = part.end
    return "".join(written) + sql[position:].replace("?", "??")
