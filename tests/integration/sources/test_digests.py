"""Digests that PostgreSQL computes, against the same computed in Python."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader.core.comparison import Compared, PartDigest, Parts
from airflow_dataloader.core.encoding import framed
from airflow_dataloader.sources.postgresql import digest
from airflow_dataloader.sources.postgresql.encoding import canonical
from tests.integration.sources.reads import POSTGRESQL, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession

ROWS = 3_000


@pytest.fixture
def filled(source_db: psycopg.Connection, session: SourceSession) -> SourceSession:
    """A session at ``t``: keys with gaps, one row twice, one without a key."""
    source_db.execute(f"""
        CREATE TABLE t AS
        SELECT n * n AS id, date '2026-01-01' + n AS day, n / 8.0 AS price, 'é' || n % 50 AS name
        FROM generate_series(1, {ROWS}) AS n;
        INSERT INTO t SELECT * FROM t WHERE id = 49;
        INSERT INTO t VALUES (NULL, NULL, NULL, NULL);
    """)
    session.open_snapshot()
    return session


def compared(session: SourceSession, keys: tuple[str, ...], parts: Callable[..., Parts]) -> Compared:
    columns = plan(session, "t").columns
    named = tuple(column for column in columns if column.name in keys)
    return Compared(columns=columns, keys=named, parts=parts(*named))


def in_python(session: SourceSession, what: Compared, number: Callable[..., int]) -> dict[int, PartDigest]:
    """Digest the rows' texts; ``number`` gives the part of a key's texts and the row's sha256."""
    items = ", ".join(canonical(column) for column in what.columns)
    places = [what.columns.index(key) for key in what.keys]
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in session.query(f"SELECT {items} FROM t"):
        found = hashlib.sha256(framed(row).encode()).hexdigest()
        part = sums[number([row[place] for place in places], found)]
        for place, value in enumerate((1, int(found[:15], 16), int(found[15:30], 16))):
            part[place] += value
    return {part: PartDigest(rows=n, first=a, second=b) for part, (n, a, b) in sums.items()}


def test_parts_by_range(filled: SourceSession) -> None:
    cuts = ["100", "2500", "250000"]
    what = compared(filled, ("id",), lambda column: Parts(count=4, column=column, cuts=tuple(cuts)))
    bounds = [int(cut) for cut in cuts]
    expected = in_python(
        filled, what, lambda key, _: 0 if key[0] is None else bisect_right(bounds, int(key[0]))
    )
    assert POSTGRESQL.digests(filled.query, "t", what, where=None) == expected
    assert expected[0].rows == 11


@pytest.mark.parametrize("keys", [(), ("id", "name")])
def test_parts_by_hash(filled: SourceSession, keys: tuple[str, ...]) -> None:
    what = compared(filled, keys, lambda *_: Parts(count=8))

    def number(key: list[str | None], row: str) -> int:
        named = hashlib.sha256(framed(key).encode()).hexdigest() if keys else row
        return int(named[:15], 16) % 8

    expected = in_python(filled, what, number)
    assert POSTGRESQL.digests(filled.query, "t", what, where=None) == expected
    assert len(expected) == 8


@pytest.mark.parametrize("keys", [("id",), ("day",), ("price",), ("name",), ("id", "day"), ()])
def test_the_rows_of_a_part_are_found_again(filled: SourceSession, keys: tuple[str, ...]) -> None:
    def cut(*columns: object) -> Parts:
        if len(columns) != 1:
            return Parts(count=4)
        (column,) = columns
        cuts = POSTGRESQL.key_cuts(filled.query, "t", column, where=None, rows=ROWS, parts=4)
        return Parts(count=len(cuts) + 1, column=column, cuts=cuts)

    what = compared(filled, keys, cut)
    digests = POSTGRESQL.digests(filled.query, "t", what, where=None)
    assert digests is not None
    assert what.parts.count == 4
    for number in range(4):
        where = POSTGRESQL.within_parts(what, [number])
        ((rows,),) = filled.query(POSTGRESQL.count_sql("t", where))
        assert rows == digests[number].rows
        assert POSTGRESQL.digests(filled.query, "t", what, where=where) == {number: digests[number]}
    together = POSTGRESQL.within_parts(what, [0, 3])
    assert POSTGRESQL.digests(filled.query, "t", what, where=together) == {
        number: digests[number] for number in (0, 3)
    }


def test_cuts_make_about_even_parts_whatever_the_gaps(
    filled: SourceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = plan(filled, "t").columns[0]
    exact = POSTGRESQL.key_cuts(filled.query, "t", column, where=None, rows=ROWS, parts=10)
    assert [round(int(cut) ** 0.5) for cut in exact] == [301 + 300 * place for place in range(9)]
    monkeypatch.setattr(digest, "SAMPLE", 300)
    chosen = POSTGRESQL.key_cuts(filled.query, "t", column, where="id > 9", rows=ROWS, parts=10)
    assert len(chosen) == 9
    assert chosen == tuple(sorted(chosen, key=int))
    sizes = [int(cut) ** 0.5 for cut in chosen]
    assert max(high - low for low, high in pairwise(sizes)) < 900
