"""What the dialect plans and the engine reads, together: from PostgreSQL's values to the table's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import DataloaderError, SourceRefused, SourceUnavailable, ValueRefused
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.sources.model import ErrorContext
from airflow_dataloader.sources.registry import dialect_of
from tests.integration.loader.engines.spark.workshop import Workshop, commit
from tests.integration.sources.changes import queued_change
from tests.integration.sources.values import KEPT, NOT_KEPT
from tests.source_configs import config

if TYPE_CHECKING:
    from airflow_dataloader.loader.sessions.protocol import SourceSession

POSTGRESQL = dialect_of("postgresql")


@pytest.fixture
def session(workshop: Workshop) -> Iterator[SourceSession]:
    with closing(open_session(workshop.endpoint)) as opened:
        yield opened


def planned(
    workshop: Workshop,
    session: SourceSession,
    relation: str,
    policy: ValuePolicy = ValuePolicy.FAIL,
    **changes: Any,
) -> ReadPlan:
    """Plan as a loader does."""
    snapshot = session.open_snapshot()
    plan = POSTGRESQL.plan_columns(session.describe(relation), policy)
    base = ReadPlan(
        endpoint=replace(workshop.endpoint, settings=snapshot.settings),
        columns=plan.columns,
        relation=relation,
        replaced=plan.replaced,
        session_init=POSTGRESQL.session_init(snapshot.id, own=snapshot.settings, statement_seconds=600),
    )
    return replace(base, **changes)


def create(source_db: psycopg.Connection, cases: list[Any]) -> None:
    """Make ``t``: a column for each case, one row of the cases' values and one of NULLs."""
    columns = ", ".join(f'"c {number}?" {case[0]}' for number, case in enumerate(cases))
    values = ", ".join(f"%s::text::{case[0]}" for case in cases)
    source_db.execute(f"CREATE TABLE t (id int, {columns})")
    source_db.execute(f"INSERT INTO t VALUES (1, {values})", [case[1] for case in cases])
    source_db.execute("INSERT INTO t (id) VALUES (2)")


def as_text(kind: str, value: Any) -> Any:
    """Write a date or timestamp as PostgreSQL would in UTC."""
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ").removesuffix("+00:00")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if kind == "date" and value is not None else value


def test_every_value_that_can_be_kept_reaches_the_table_exactly(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    create(source_db, KEPT)
    plan = planned(workshop, session, "t")
    target = workshop.table()
    workshop.engine.overwrite(target, workshop.engine.read(plan), commit(1))
    found = workshop.engine.inspect(target, "nobody")
    assert found is not None
    assert list(found.columns.values()) == ["int", *(case[2] for case in KEPT)]
    first, nulls = sorted(workshop.engine.rows(target))
    assert nulls == (2, *[None] * len(KEPT))
    for (sql_type, text, kind, expected), arrived in zip(KEPT, first[1:], strict=True):
        wanted = expected.removesuffix("+00") if kind == "timestamp" else expected
        if kind == "float":
            assert arrived == pytest.approx(expected, rel=1e-7)
        else:
            assert as_text(kind, arrived) == wanted, f"{sql_type} {text}"


@pytest.mark.parametrize("of", ["DATABASE", "ROLE"])
def test_days_and_months_are_in_the_order_that_the_source_has_them_in(
    workshop: Workshop, source_db: psycopg.Connection, of: str
) -> None:
    source_db.execute("CREATE TABLE words AS SELECT 1 AS id, '01/02/2024'::text AS day")
    source_db.execute("CREATE VIEW days AS SELECT id, day::date AS day FROM words")
    relation = r"(SELECT id, day, date '25/12/2020' AS fixed, '\' AS sign FROM days) AS q"
    name = source_db.info.dbname if of == "DATABASE" else workshop.endpoint.user
    source_db.execute(f"ALTER {of} \"{name}\" SET DateStyle = 'SQL, DMY'")
    source_db.execute(f'ALTER {of} "{name}" SET standard_conforming_strings = off')
    try:
        with closing(open_session(workshop.endpoint)) as changed:
            plan = planned(workshop, changed, relation)
            target = workshop.table()
            workshop.engine.overwrite(target, workshop.engine.read(plan), commit(1))
    finally:
        source_db.execute(f'ALTER {of} "{name}" RESET DateStyle')
        source_db.execute(f'ALTER {of} "{name}" RESET standard_conforming_strings')
    assert workshop.rows(target) == [(1, date(2024, 2, 1), date(2020, 12, 25), "\\")]


def test_values_that_cannot_be_kept_are_replaced_and_counted(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    create(source_db, NOT_KEPT)
    plan = planned(workshop, session, "t", ValuePolicy.NULL)
    target = workshop.table()
    written = workshop.engine.overwrite(target, workshop.engine.read(plan), commit(1))
    assert written.values_replaced == len(NOT_KEPT)
    assert sorted(workshop.engine.rows(target)) == [
        (1, *[None] * len(NOT_KEPT)),
        (2, *[None] * len(NOT_KEPT)),
    ]


def test_a_source_s_own_column_may_have_the_name_of_the_count(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    source_db.execute("""CREATE TABLE t AS SELECT 'infinity'::date AS day, 'mine' AS "_ADL_replaced" """)
    rows = workshop.engine.read(planned(workshop, session, "t", ValuePolicy.NULL))
    stage = workshop.engine.stage(rows, workshop.table("staged"), None)
    target = workshop.table()
    written = workshop.engine.overwrite(target, rows, commit(1))
    assert (stage.values_replaced, written.values_replaced) == (1, 1)
    assert workshop.rows(target) == [(None, "mine")]


def test_values_that_cannot_be_kept_arrive_as_their_text(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    create(source_db, NOT_KEPT)
    plan = planned(workshop, session, "t", ValuePolicy.STRING)
    target = workshop.table()
    workshop.engine.overwrite(target, workshop.engine.read(plan), commit(1))
    assert sorted(workshop.engine.rows(target))[0] == (1, *(case[2] for case in NOT_KEPT))


@pytest.mark.parametrize(
    ("sql_type", "text"), [("date", "infinity"), ("numeric", "1e25"), ("int[]", "[0:0]={7}")]
)
def test_a_refused_value_is_named_through_the_engine(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection, sql_type: str, text: str
) -> None:
    source_db.execute(f'CREATE TABLE t ("paid ""at""?" {sql_type})')
    source_db.execute("INSERT INTO t VALUES (%s)", (text,))
    with pytest.raises(DataloaderError) as failure:
        workshop.engine.overwrite(
            workshop.table(), workshop.engine.read(planned(workshop, session, "t")), commit(1)
        )
    known = POSTGRESQL.recognise(failure.value.message, ErrorContext(endpoint=workshop.endpoint))
    assert isinstance(known, ValueRefused)
    assert known.field == 'paid "at"?'


def test_a_nan_that_the_driver_refuses_is_found_by_asking_the_source(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    source_db.execute("CREATE TABLE t (id int, price numeric(10,2))")
    source_db.execute("INSERT INTO t VALUES (1, 1), (2, 'NaN')")
    with pytest.raises(SourceRefused) as failure:
        workshop.engine.overwrite(
            workshop.table(), workshop.engine.read(planned(workshop, session, "t")), commit(1)
        )
    assert POSTGRESQL.recognise(failure.value.message, ErrorContext(endpoint=workshop.endpoint)) is None
    found = POSTGRESQL.diagnose(session.query, session.describe("t"), "t", None)
    assert found is not None
    assert (found.field, "NaN" in found.message) == ("price", True)


def test_a_read_gives_way_to_a_change_that_waits_for_its_load(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    plan = planned(workshop, session, "t")
    with queued_change(source_db), pytest.raises(DataloaderError) as failure:
        workshop.engine.overwrite(workshop.table(), workshop.engine.read(plan), commit(1))
    context = ErrorContext(endpoint=workshop.endpoint, relation="t")
    known = POSTGRESQL.recognise(failure.value.message, context)
    assert isinstance(known, SourceUnavailable)
    assert known.message.startswith("t is locked at the source")


def test_operators_with_question_marks_reach_the_source(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    source_db.execute("""CREATE TABLE t AS SELECT 1 AS id, '{"a?": 1}'::jsonb AS data""")
    relation = "(SELECT id, data ? 'a?' AS has, '?' AS \"what?\" FROM t -- why?\n) AS q"
    target = workshop.table()
    workshop.engine.overwrite(target, workshop.engine.read(planned(workshop, session, relation)), commit(1))
    assert workshop.engine.rows(target) == [(1, True, "?")]


def test_the_parts_of_a_read_see_one_state_while_others_write(
    workshop: Workshop, session: SourceSession, source_db: psycopg.Connection
) -> None:
    """The bank: money moves all the time; the read's sum and count are always the same."""
    source_db.execute("CREATE TABLE t AS SELECT n AS id, 100 AS money FROM generate_series(1, 20000) AS n")
    done = threading.Event()
    info = source_db.info
    writer_url = f"host={info.host} port={info.port} dbname={info.dbname} user={info.user}"

    def move() -> None:
        with psycopg.connect(writer_url, password=info.password, autocommit=True) as writer:
            step = 0
            while not done.is_set():
                step += 1
                one, other = step * 7 % 20000 + 1, (step * 7 + 9999) % 20000 + 1
                writer.execute(
                    "UPDATE t SET money = money + CASE id WHEN %s THEN 1 ELSE -1 END WHERE id IN (%s, %s)",
                    (one, one, other),
                )

    writer = threading.Thread(target=move)
    writer.start()
    try:
        plan = planned(workshop, session, '"public"."t"')
        parts = POSTGRESQL.partitions(
            session.query,
            relation=plan.relation,
            columns=plan.columns,
            described=session.describe(plan.relation),
            config=config(num_partitions=4),
            parallelism=2,
        )
        target = workshop.table()
        workshop.engine.overwrite(target, workshop.engine.read(replace(plan, partitions=parts)), commit(1))
    finally:
        done.set()
        writer.join()
    assert len(parts) == 4
    rows = workshop.engine.rows(target)
    assert sorted(number for number, _ in rows) == list(range(1, 20001))
    assert sum(money for _, money in rows) == 2_000_000
