"""Parts of a read: disjoint, covering, and of one state of the source."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.exceptions import ConfigurationError, SourceRefused
from tests.integration.sources.reads import POSTGRESQL
from tests.source_configs import config

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_dataloader.loader.sessions.protocol import SourceSession

NO_TABLE = SourceTable(catalog=None, schema=None, name=None)


def parts(
    session: SourceSession,
    *,
    parallelism: int = 2,
    where: str | None = None,
    rows: int | None = None,
    relation: str | None = None,
    **overrides: Any,
) -> tuple[str, ...]:
    settings = config(**overrides)
    relation = relation or POSTGRESQL.relation(settings.source, settings.query)
    described = session.describe(relation)
    columns = POSTGRESQL.plan_columns(described, settings.value_policy).columns
    return POSTGRESQL.partitions(
        session.query,
        relation=relation,
        columns=columns,
        described=described,
        config=settings,
        parallelism=parallelism,
        where=where,
        rows=rows,
    )


def counts(session: SourceSession, relation: str, predicates: tuple[str, ...]) -> list[int]:
    """Return each part's rows, after checking that every row is in exactly one part."""
    found = [session.query(POSTGRESQL.count_sql(relation, predicate))[0][0] for predicate in predicates]
    together = " + ".join(f"coalesce(({predicate}), false)::int" for predicate in predicates)
    assert session.query(f"SELECT count(*) FROM {relation} WHERE {together} <> 1") == [(0,)]
    return found


@pytest.fixture
def filled(source_db: psycopg.Connection) -> psycopg.Connection:
    """``public.t``: 20,000 rows on about 180 pages, a fifth of them deleted again, some without a day."""
    source_db.execute("""
        CREATE TABLE t AS
        SELECT n AS id, n::bigint * 1000003 AS big, n / 7.0 AS price,
               CASE WHEN n % 100 > 0 THEN date '2020-01-01' + n % 900 END AS day,
               timestamp '2020-01-01' + n * interval '1 hour' AS at,
               timestamptz '2020-01-01 00:00+00' + n * interval '1 hour' AS at_zone,
               repeat('x', 20) AS note
        FROM generate_series(1, 20000) AS n;
        DELETE FROM t WHERE id % 5 = 0;
    """)
    return source_db


def test_a_plain_table_is_split_by_its_pages(filled: psycopg.Connection, session: SourceSession) -> None:
    # Without the pages at the end that some servers keep ready for more rows.
    filled.execute("VACUUM t")
    session.open_snapshot()
    predicates = parts(session, num_partitions=4)
    found = counts(session, "t", predicates)
    assert len(found) == 4
    assert sum(found) == 16_000
    assert min(found) > 3_500
    (plan, *_) = session.query(f"EXPLAIN SELECT * FROM t WHERE {predicates[1]}")
    assert "Tid Range Scan" in plan[0]


def test_a_small_table_is_read_at_once(filled: psycopg.Connection, session: SourceSession) -> None:
    assert parts(session, parallelism=8) == ()
    assert parts(session, num_partitions=1) == ()


def test_pages_that_a_table_keeps_out_of_line_count(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("""
        CREATE TABLE t (id int, wide text);
        ALTER TABLE t ALTER wide SET STORAGE EXTERNAL;
        INSERT INTO t SELECT n, repeat('x', 50000) FROM generate_series(1, 500) AS n;
    """)
    predicates = parts(session, parallelism=2)
    assert sum(counts(session, "t", predicates)) == 500
    assert len(predicates) == 2


def test_more_parts_than_pages_are_not_made(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 500) AS n")
    assert counts(session, "t", parts(session, num_partitions=64)) != []
    source_db.execute("TRUNCATE t")
    assert parts(session, num_partitions=64) == ()


@pytest.mark.parametrize("column", ["id", "big", "price", "day", "at", "at_zone"])
def test_a_view_is_split_by_its_partition_column(
    filled: psycopg.Connection, session: SourceSession, column: str
) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    session.open_snapshot()
    predicates = parts(session, source_table_name="v", partition_column=column, num_partitions=4)
    found = counts(session, "v", predicates)
    assert (len(found), sum(found)) == (4, 16_000)
    assert min(found) > 3_500


@pytest.mark.parametrize("kind", ["text", "varchar(20)", "char(20)", "uuid"])
def test_a_view_is_split_by_the_hashes_of_its_texts(
    source_db: psycopg.Connection, session: SourceSession, kind: str
) -> None:
    source_db.execute(f"""
        CREATE TABLE base (key {kind});
        INSERT INTO base SELECT left(md5(n::text)::uuid::text, 36)::{kind} FROM generate_series(1, 9000) AS n;
        INSERT INTO base VALUES (NULL), (NULL);
        CREATE VIEW t AS SELECT * FROM base;
    """)
    session.open_snapshot()
    found = counts(session, "t", parts(session, partition_column="key", num_partitions=4))
    assert (len(found), sum(found)) == (4, 9_002)
    assert min(found) > 2_000


@pytest.mark.parametrize(
    ("low", "high"),
    [("15000", "5000"), ("50000", None), (None, "-50000")],
    ids=["reversed", "above", "below"],
)
def test_no_row_is_in_two_parts_whatever_bounds_a_row_names(
    filled: psycopg.Connection, session: SourceSession, low: str | None, high: str | None
) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    given = {"lower_bound": low, "upper_bound": high}
    predicates = parts(session, source_table_name="v", partition_column="id", num_partitions=4, **given)
    assert sum(counts(session, "v", predicates)) == 16_000


def test_without_a_partition_column_a_view_is_read_at_once(
    filled: psycopg.Connection, session: SourceSession
) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    assert parts(session, source_table_name="v", num_partitions=4) == ()


def test_a_query_is_split_within_its_window(filled: psycopg.Connection, session: SourceSession) -> None:
    relation = POSTGRESQL.relation(NO_TABLE, "SELECT * FROM t")
    predicates = parts(
        session,
        relation=relation,
        query="SELECT * FROM t",
        partition_column="ID",
        num_partitions=2,
        where="id > 19000",
    )
    found = counts(session, "(SELECT * FROM t WHERE id > 19000) AS q", predicates)
    assert (len(found), sum(found)) == (2, 800)
    assert min(found) == 400


def test_given_bounds_only_place_the_cuts(filled: psycopg.Connection, session: SourceSession) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    predicates = parts(
        session,
        source_table_name="v",
        partition_column="id",
        num_partitions=4,
        lower_bound="10000",
        upper_bound="10400",
    )
    assert sum(counts(session, "v", predicates)) == 16_000
    assert "10100" in predicates[0]


@pytest.mark.parametrize("field", ["lower_bound", "upper_bound"])
def test_a_bound_that_is_no_value_is_named(
    filled: psycopg.Connection, session: SourceSession, field: str
) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    with pytest.raises(ConfigurationError) as refusal:
        parts(session, source_table_name="v", partition_column="id", num_partitions=2, **{field: "low"})
    assert refusal.value.field == field


@pytest.mark.parametrize("field", ["lower_bound", "upper_bound"])
def test_of_two_bounds_the_bad_one_is_named(
    filled: psycopg.Connection, session: SourceSession, field: str
) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    given = {"lower_bound": "1", "upper_bound": "9", field: "low"}
    with pytest.raises(ConfigurationError, match=f"{field} 'low' is not") as refusal:
        parts(session, source_table_name="v", partition_column="id", num_partitions=2, **given)
    assert refusal.value.field == field


def test_what_a_view_cannot_compute_is_not_the_bounds_fault(
    filled: psycopg.Connection, session: SourceSession
) -> None:
    filled.execute("CREATE VIEW v AS SELECT 1000 / (id - 7) AS id FROM t")
    session.open_snapshot()
    given = {"lower_bound": "1", "upper_bound": None}
    with pytest.raises(SourceRefused, match="by zero") as refusal:
        parts(session, source_table_name="v", partition_column="id", num_partitions=2, **given)
    assert (refusal.value.field, refusal.value.sqlstate) == ("source_table_name", "22012")


def test_a_bound_that_nothing_lies_between_is_named(
    filled: psycopg.Connection, session: SourceSession
) -> None:
    filled.execute("CREATE VIEW v AS SELECT * FROM t")
    given = {"lower_bound": "infinity", "upper_bound": "2026-01-01"}
    with pytest.raises(ConfigurationError, match="lower_bound 'infinity' is not") as refusal:
        parts(session, source_table_name="v", partition_column="day", num_partitions=2, **given)
    assert refusal.value.field == "lower_bound"


@pytest.mark.parametrize(("column", "what"), [("day_s", "cannot be split"), ("nix", "does not have")])
def test_a_partition_column_that_cannot_be_split_is_named(
    filled: psycopg.Connection, session: SourceSession, column: str, what: str
) -> None:
    filled.execute("CREATE VIEW v AS SELECT *, to_json(day) AS day_s FROM t")
    with pytest.raises(ConfigurationError, match=what) as refusal:
        parts(session, source_table_name="v", partition_column=column, num_partitions=2)
    assert refusal.value.field == "partition_column"


def test_extreme_and_infinite_values_do_not_spoil_the_cuts(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("""
        CREATE TABLE base (id int8, at timestamptz, x numeric);
        INSERT INTO base VALUES
            (-9223372036854775808, '-infinity', 'NaN'), (9223372036854775807, 'infinity', 'Infinity'),
            (0, '2026-01-01', 1), (1, '2026-02-01', 2), (NULL, NULL, NULL), (3, '2026-03-01', 1e30);
        CREATE VIEW t AS SELECT * FROM base;
    """)
    for column in ("id", "at", "x"):
        predicates = parts(session, partition_column=column, num_partitions=3)
        assert sum(counts(session, "t", predicates)) == 6
        assert len(predicates) == 3


def test_one_value_or_none_makes_no_parts_that_overlap(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE base (id int); CREATE VIEW t AS SELECT * FROM base")
    assert parts(session, partition_column="id", num_partitions=3) == ()
    source_db.execute("INSERT INTO base VALUES (7), (7), (NULL)")
    assert sum(counts(session, "t", parts(session, partition_column="id", num_partitions=3))) == 3


@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT",
        "CREATE MATERIALIZED VIEW t AS SELECT 1 AS id",
        "CREATE VIEW t AS SELECT 1 AS id",
    ],
)
def test_what_has_no_rows_of_its_own_has_no_pages_to_split(
    source_db: psycopg.Connection, session: SourceSession, ddl: str
) -> None:
    source_db.execute(ddl)
    assert parts(session, num_partitions=4) == ()


def test_a_parent_s_parts_hold_the_children_too(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("""
        CREATE TABLE t (id int);
        CREATE TABLE child () INHERITS (t);
        INSERT INTO t SELECT generate_series(1, 5000);
        INSERT INTO child SELECT generate_series(1, 50000);
    """)
    split = parts(session, partition_column="id", num_partitions=4)
    assert len(split) == 4
    each = counts(session, "t", split)
    assert sum(each) == 55_000
    assert max(each) < 20_000
    assert parts(session, num_partitions=3) == (), "its own pages say nothing about its children's"


def test_a_known_small_window_is_read_at_once(filled: psycopg.Connection, session: SourceSession) -> None:
    assert parts(session, parallelism=4, rows=10) == ()
    assert len(parts(session, num_partitions=4, rows=10)) == 4


def test_rows_stay_where_they_are_while_their_addresses_are_read(
    filled: psycopg.Connection, session: SourceSession, open_source: Callable[..., SourceSession]
) -> None:
    """Planning parts holds the table's lock: VACUUM FULL would move rows from one part to another."""
    session.open_snapshot()
    parts(session, num_partitions=4)
    filled.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        filled.execute("VACUUM FULL t")
    session.close()
    filled.execute("VACUUM FULL t")


def test_all_parts_see_one_state_while_others_write(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    """The bank: money moves between accounts all the time, and its sum is the same in every read."""
    source_db.execute("CREATE TABLE t AS SELECT n AS id, 100 AS money FROM generate_series(1, 5000) AS n")
    url = f"host={source_db.info.host} port={source_db.info.port} dbname={source_db.info.dbname}"
    done = threading.Event()

    def move() -> None:
        login = {"user": source_db.info.user, "password": source_db.info.password}
        with psycopg.connect(url, autocommit=True, **login) as writer:
            step = 0
            while not done.is_set():
                step += 1
                one, other = step * 7 % 5000 + 1, step * 4993 % 5000 + 1
                writer.execute(
                    "UPDATE t SET money = money + CASE id WHEN %s THEN 1 ELSE -1 END WHERE id IN (%s, %s)",
                    (one, one, other if other != one else one % 5000 + 1),
                )

    writer = threading.Thread(target=move)
    writer.start()
    try:
        snapshot = session.open_snapshot()
        predicates = parts(session, num_partitions=4)
        init = POSTGRESQL.session_init(snapshot.id)
        rows = []
        for predicate in predicates:
            # As the JDBC driver does: a transaction of its own, the statements of the start, the part.
            login = {"user": source_db.info.user, "password": source_db.info.password}
            with psycopg.connect(url, **login) as reader:
                reader.execute(init)
                rows += reader.execute(f"SELECT id, money FROM t WHERE {predicate}").fetchall()
    finally:
        done.set()
        writer.join()
    assert len(predicates) == 4
    assert sorted(number for number, _ in rows) == list(range(1, 5001))
    assert sum(money for _, money in rows) == 500_000
    assert session.query("SELECT sum(money) FROM t") == [(500_000,)]
