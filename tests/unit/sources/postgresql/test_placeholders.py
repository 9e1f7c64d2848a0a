"""Question marks as the JDBC driver wants them."""

from __future__ import annotations

import pytest

from airflow_dataloader.sources.postgresql.placeholders import jdbc_sql
from airflow_dataloader.sources.postgresql.quoting import literal, quote


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT data ? 'a', data ?| x, data ?& x", "SELECT data ?? 'a', data ??| x, data ??& x"),
        ("SELECT '?', \"?\", $$?$$, $t$ ? $$ $t$", "SELECT '?', \"?\", $$?$$, $t$ ? $$ $t$"),
        ("SELECT 'it''s ?' ? 1", "SELECT 'it''s ?' ?? 1"),
        (r"SELECT E'\'?' ? 1", r"SELECT E'\'?' ?? 1"),
        (r"SELECT '\' ? '?'", r"SELECT '\' ?? '?'"),
        (r"a LIKE '50\%' ESCAPE'\' AND b = '?' ? 1", r"a LIKE '50\%' ESCAPE'\' AND b = '?' ?? 1"),
        (r"SELECT date'\', é'?', a$e'\', (e'\'?')", r"SELECT date'\', é'?', a$e'\', (e'\'?')"),
        ("SELECT 1 -- why?\n ? 2", "SELECT 1 -- why?\n ?? 2"),
        ("SELECT /* a? /* b? */ c? */ 1 ? 2", "SELECT /* a? /* b? */ c? */ 1 ?? 2"),
        ("SELECT a$b$ ? c$b$", "SELECT a$b$ ?? c$b$"),
        ("SELECT /* open ?", "SELECT /* open ?"),
    ],
)
def test_only_operators_are_doubled(sql: str, expected: str) -> None:
    assert jdbc_sql(sql) == expected


def test_what_we_quote_ourselves_stays_as_it_is() -> None:
    name, text = quote('what? "really"?'), literal("yes? \\ no?")
    assert jdbc_sql(f"SELECT {name} = {text}") == f"SELECT {name} = {text}"
