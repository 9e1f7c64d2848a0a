"""Views and queries are evaluated by the source's own styles, and values are kept whatever these are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.loader.sessions.protocol import SourceSession
from airflow_dataloader.sources.postgresql.intervals import interval
from airflow_dataloader.sources.postgresql.styles import unlike_styles
from tests.integration.sources.reads import POSTGRESQL, as_engine
from tests.source_configs import connect_beside

STYLES = ["postgres", "postgres_verbose", "sql_standard", "iso_8601"]

#: Months, days and microseconds: PostgreSQL keeps each of them with a sign of its own.
PARTS = st.tuples(
    st.integers(-(10**6), 10**6),
    st.integers(-(10**6), 10**6),
    st.one_of(st.integers(-(10**7), 10**7), st.integers(-(10**17), 10**17)),
)


def of_parts(parts: tuple[int, int, int]) -> str:
    """Return the SQL of an interval, without a text that would have to be read."""
    months, days, microseconds = parts
    seconds, rest = divmod(abs(microseconds), 10**6)
    whole = f"make_interval(months => {months}, days => {days}"
    # By two numbers: seconds are a float there.
    sign = -1 if microseconds < 0 else 1
    hours, seconds = divmod(seconds, 3600)
    return (
        f"{whole}, hours => {sign * min(hours, 10**9)}, secs => {sign * seconds})"
        f" + make_interval(secs => {sign * rest} / 1000000.0)"
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=PARTS, style=st.sampled_from(STYLES))
def test_an_interval_is_written_as_postgresql_itself_writes_it_by_iso_8601(
    source_db: psycopg.Connection, parts: tuple[int, int, int], style: str
) -> None:
    x = f"({of_parts(parts)})"
    with source_db.transaction(force_rollback=True):
        source_db.execute("SET LOCAL IntervalStyle = iso_8601")
        wanted = source_db.execute(f"SELECT {x}::text").fetchone()
        source_db.execute(f"SET LOCAL IntervalStyle = {style}")
        assert (
            source_db.execute(f"SELECT {interval('x').value} FROM (SELECT {x} AS x) q").fetchone() == wanted
        )


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0", "PT0S"),
        ("1 mon -30 days", "P1M-30D"),
        ("-0.5 s", "PT-0.5S"),
        ("100 min", "PT1H40M"),
        (None, None),
    ],
)
def test_an_interval_s_text(source_db: psycopg.Connection, text: str | None, kept: str | None) -> None:
    value = interval("x").value
    query = f"SELECT {value} FROM (SELECT CAST(%s AS interval) AS x) q"
    assert source_db.execute(query, [text]).fetchone() == (kept,)


def test_an_endless_interval_keeps_its_name(source_db: psycopg.Connection) -> None:
    if source_db.info.server_version < 170000:
        pytest.skip("before version 17 no interval is endless")
    query = f"SELECT {interval('x').value} FROM (SELECT interval '-infinity' AS x) q"
    assert source_db.execute(query).fetchone() == ("-infinity",)


@pytest.mark.parametrize("style", [None, *STYLES])
def test_what_a_view_makes_of_intervals_and_bytes_is_what_the_source_makes(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession], style: str | None
) -> None:
    if style is not None:
        name = source_db.info.dbname
        source_db.execute(f"ALTER DATABASE {name} SET IntervalStyle = {style}")
        source_db.execute(f"ALTER DATABASE {name} SET bytea_output = escape")
    source_db.execute(r"""
        CREATE VIEW v AS SELECT took::text AS took, jsonb_build_object('took', took) AS object,
            raw::text AS raw, interval '-1 2:00:00'::text AS minus
        FROM (VALUES (interval '2:30'), (interval '3 days 2:30')) jobs(took),
            (VALUES ('\x41ff'::bytea)) bytes(raw)
        WHERE took::text NOT LIKE 'PT%'""")
    with connect_beside(source_db) as there:
        wanted = there.execute("SELECT * FROM v ORDER BY 1").fetchall()
    with closing(open_source()) as session:
        session.hold('"v"')
        snapshot = session.open_snapshot()
        assert session.query("SELECT * FROM v ORDER BY 1") == wanted
        with as_engine(session.endpoint, snapshot) as engine, engine.transaction():
            engine.execute(POSTGRESQL.session_init(snapshot.id, own=snapshot.settings))
            assert engine.execute("SELECT * FROM v ORDER BY 1").fetchall() == wanted


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("DateStyle = 'German, DMY'", "DateStyle = German, DMY"),
        ("extra_float_digits = 0", "extra_float_digits = 0"),
        ("DateStyle = 'ISO, DMY'", None),
        ("extra_float_digits = 2", None),
    ],
)
def test_styles_that_loads_cannot_have_are_told_of_views_and_queries(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession], setting: str, said: str | None
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id; CREATE VIEW v AS TABLE t")
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET {setting}")
    session = open_source()
    session.open_snapshot()
    view, table = (SourceTable(catalog=None, schema="public", name=name) for name in "vt")
    assert unlike_styles(session.query, view, None) == said
    assert unlike_styles(session.query, table, "SELECT 1") == said
    assert unlike_styles(session.query, table, None) is None


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("interval[]", "IntervalStyle = sql_standard"),
        ("jobs", "IntervalStyle = sql_standard"),
        ("bytea[]", "bytea_output = escape"),
    ],
)
def test_texts_inside_of_others_are_told_apart_by_the_style_that_they_had(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession], kind: str, setting: str
) -> None:
    source_db.execute(f"""
        CREATE TYPE jobs AS (took interval);
        CREATE TABLE t (x {kind}, plain interval, raw bytea, numbers integer[]);
        CREATE TABLE others (a interval[], b bytea[])""")

    def spellings() -> list[str]:
        session = open_source()
        session.open_snapshot()
        described = (*session.describe("t"), *session.describe("others"))
        return [POSTGRESQL.key_spelling(one, whole=True) for one in described]

    before, same = spellings(), spellings()
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET {setting}")
    assert all(map(POSTGRESQL.keeps_texts, before, same))
    of_intervals = "Interval" in setting
    assert list(map(POSTGRESQL.keeps_texts, before, spellings())) == [
        False, True, True, True, not of_intervals, of_intervals,
    ]  # fmt: skip


def test_the_source_s_order_of_dates_is_not_that_of_the_loader_s_environment(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATESTYLE", "German")
    session = open_source()
    assert session.open_snapshot().settings["DateStyle"] == "ISO, MDY"
    assert unlike_styles(session.query, SourceTable(catalog=None, schema=None, name=None), "SELECT 1") is None
