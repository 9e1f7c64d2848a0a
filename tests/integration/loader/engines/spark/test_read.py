"""What arrives is what the source holds, in one snapshot."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dataloader.core.plan import Endpoint, ReadPlan
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.sources.registry import dialect_of
from tests.integration.loader.engines.spark.workshop import Workshop, commit

if TYPE_CHECKING:
    import psycopg

#: Column to its type at the source and two literals that drivers get wrong, or lose something of.
POISON = {
    "num": ("numeric", "123456789012345678901234567890.123456789012345678", "NULL"),
    "wide": ("numeric(60,20)", "12345678901234567890.12345678901234567890", "NULL"),
    "d": ("date", "'1582-10-10'", "'0001-01-01'"),
    "ts": ("timestamp", "'1582-10-10 01:02:03.123456'", "'0001-01-01'"),
    "tz": ("timestamptz", "'2026-03-29 01:30:00.000001+00'", "'9999-12-31 23:59:59.999999+00'"),
    "t": ("time", "'24:00'", "'00:00'"),
    "tt": ("timetz", "'23:59:59.999999+05:30'", "'00:00+00'"),
    "f4": ("real", "'NaN'", "'Infinity'"),
    "f8": ("double precision", "'-0'", "'5e-324'"),
    "u": ("uuid", "'0b9e5a4e-3f53-4c5b-9a51-1c1c6b1f9a11'", "NULL"),
    "j": ("jsonb", "'{\"k\": null}'", "'[]'"),
    "b": ("bytea", "'\\x00ff'", "''"),
    "v": ("varchar(3)", "'xyz'", "''"),
    "txt": ("text", "E'\\\\N \\r\\n\\t😀'", "''"),
    "e": ("boolean", "true", "NULL"),
    "r": ("int4range", "'[1,3)'", "'empty'"),
    "ip": ("inet", "'::1'", "'10.0.0.0/8'"),
}

FIRST = {
    "num": "123456789012345678901234567890.123456789012345678",
    "wide": "12345678901234567890.12345678901234567890",
    "d": date(1582, 10, 10),
    "ts": datetime(1582, 10, 10, 1, 2, 3, 123456),
    "tz": datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC),
    "t": "24:00:00",
    "u": "0b9e5a4e-3f53-4c5b-9a51-1c1c6b1f9a11",
    "j": '{"k": null}',
    "b": b"\x00\xff",
    "v": "xyz",
    "txt": "\\N \r\n\t😀",
    "e": True,
    "r": "[1,3)",
    "ip": "::1",
}
SECOND = {
    "num": None,
    "d": date(1, 1, 1),
    "ts": datetime(1, 1, 1),
    "tz": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "f8": 5e-324,
    "b": b"",
    "v": "",
    "txt": "",
    "e": None,
    "r": "empty",
}


def planned(endpoint: Endpoint, relation: str) -> ReadPlan:
    """Plan a read as a loader does."""
    dialect = dialect_of("postgresql")
    with closing(open_session(endpoint)) as session:
        described = session.describe(relation)
    # Cursors keep their own types; the rest travels as text where its type cannot hold everything.
    plan = dialect.plan_columns(described, ValuePolicy.STRING, ordered=("d", "ts", "tz"))
    return ReadPlan(
        endpoint=endpoint,
        columns=plan.columns,
        relation=relation,
        replaced=plan.replaced,
        session_init=dialect.session_init(None),
    )


def test_values_that_drivers_lie_about_arrive_exactly(
    workshop: Workshop, source_db: psycopg.Connection, endpoint: Endpoint
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in POISON.items())
    source_db.execute(f"CREATE TABLE poison (n integer, {columns})")
    for number in (1, 2):
        values = ", ".join(literals[number] for literals in POISON.values())
        source_db.execute(f"INSERT INTO poison VALUES ({number}, {values})")
    engine, target = workshop.engine, workshop.table()
    engine.overwrite(target, engine.read(planned(endpoint, '"public"."poison"')), commit(1))
    found = engine.inspect(target, "x")
    assert found is not None
    one, two = (
        dict(zip(found.columns, row, strict=True)) for row in sorted(engine.rows(target), key=_number)
    )
    assert {name: one[name] for name in FIRST} == FIRST
    assert {name: two[name] for name in SECOND} == SECOND
    assert (str(one["f4"]), str(one["f8"]), str(two["f4"])) == ("nan", "-0.0", "inf")
    assert one["tt"].startswith("23:59:59.999999")


def _number(row: tuple[Any, ...]) -> int:
    return int(row[0])


def test_all_partitions_read_one_snapshot(
    workshop: Workshop, source_db: psycopg.Connection, endpoint: Endpoint
) -> None:
    source_db.execute("CREATE TABLE items AS SELECT n AS id FROM generate_series(1, 100) n")
    dialect, name = dialect_of("postgresql"), workshop.stage_name
    with closing(open_session(endpoint)) as session:
        snapshot = session.open_snapshot()
        source_db.execute("INSERT INTO items SELECT n FROM generate_series(101, 200) n")
        source_db.execute("DELETE FROM items WHERE id < 10")
        plan = workshop.plan(
            {"id": "int"},
            relation='"public"."items" AS v',
            partitions=("v.id % 3 = 0", "v.id % 3 = 1", "v.id % 3 = 2"),
            session_init=dialect.session_init(snapshot.id),
        )
        stage = workshop.engine.stage(workshop.engine.read(plan), name, None)
    assert stage.rows == 100
    assert {row[0] for row in workshop.rows(name)} == set(range(1, 101))


def test_question_marks_in_the_source_s_sql_are_not_parameters(
    workshop: Workshop, source_db: psycopg.Connection
) -> None:
    source_db.execute("CREATE TABLE docs (id int, j jsonb)")
    source_db.execute("""INSERT INTO docs VALUES (1, '{"a?": 1}'), (2, '{}')""")
    plan = workshop.plan({"id": "int"}, relation="docs AS v", where="v.j ? 'a?'")
    name = workshop.stage_name
    assert workshop.engine.stage(workshop.engine.read(plan), name, None).rows == 1


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Kolkata"])
def test_the_zone_of_source_and_process_changes_no_time(
    workshop: Workshop, source_db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET timezone TO '{zone}'")
    monkeypatch.setenv("TZ", zone)
    wall, instant = datetime(2018, 11, 4, 0, 30), datetime(2018, 11, 4, 3, 30, tzinfo=UTC)
    workshop.fill(workshop.table(), {"w": "timestamp_ntz", "t": "timestamp"}, [(wall, instant)])
    assert workshop.rows(workshop.table()) == [(wall, instant)]
