"""Strings, quoted names and comments in SQL texts."""

from __future__ import annotations

import pytest

from airflow_dataloader.sources.postgresql.opaque import opaque_parts


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'a''b', 1", [("'a''b'", "a''b")]),
        (r"SELECT E'it\'s', '\'", [(r"E'it\'s'", r"it\'s"), (r"'\'", "\\")]),
        ("SELECT $$it's$$, $t$ $$ $t$", [("$$it's$$", "it's"), ("$t$ $$ $t$", " $$ ")]),
        ("SELECT '' , $$$$", [("''", ""), ("$$$$", "")]),
        ('SELECT "it\'s", "a""b"', [('"it\'s"', None), ('"a""b"', None)]),
        ("SELECT 1 -- don't\n, 'x'", [("-- don't", None), ("'x'", "x")]),
        ("/* Anna's /* own */ */ 'x'", [("/* Anna's /* own */ */", None), ("'x'", "x")]),
        ("SELECT a$b$, /* open 'x'", [("/* open 'x'", None)]),
        ("SELECT 1", []),
    ],
)
def test_parts(sql: str, expected: list[tuple[str, str | None]]) -> None:
    assert [(sql[part.start : part.end], part.string) for part in opaque_parts(sql)] == expected
