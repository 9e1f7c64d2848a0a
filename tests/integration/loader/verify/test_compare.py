"""What differs between a source and its target is found and named, and nothing else."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.engines.protocol import Rows
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified, lines
from airflow_dataloader.sources.postgresql import digest
from airflow_dataloader.sources.postgresql.dialect import PostgresqlDialect
from tests.bench import Bench

ROWS = 12_000


@pytest.fixture
def loaded(bench: Bench) -> int:
    """A row whose table of some thousand rows was just loaded, by key."""
    bench.source.execute(f"""
        CREATE TABLE items AS
        SELECT n AS id, 'name ' || n AS name, n / 8.0::float8 AS weight, (n / 3.0)::numeric(12,4) AS price,
            timestamptz '2026-01-01 00:00+00' + n * interval '1 minute' AS at
        FROM generate_series(1, {ROWS}) AS n
    """)
    config_id = bench.row(primary_key_cols="id", num_partitions=2)
    bench.succeed(config_id)
    return config_id


def verify(bench: Bench, config_id: int) -> Verified:
    before = (bench.state(config_id), len(bench.history(config_id)))
    (verified,) = verify_rows(bench.context, [config_id])
    assert (bench.state(config_id), len(bench.history(config_id))) == before, "it only looks"
    return verified


def change(bench: Bench) -> None:
    """Change the source in every way that there is."""
    bench.source.execute("""
        UPDATE items SET weight = -weight WHERE id = 10;
        UPDATE items SET name = '', price = NULL WHERE id = 11;
        UPDATE items SET name = NULL WHERE id = 12;
        DELETE FROM items WHERE id = 5000;
        INSERT INTO items SELECT * FROM items WHERE id = 9000;
        INSERT INTO items (id) VALUES (12001);
    """)


#: What has to be said afterwards, whoever computes the digests.
SAID = [
    "  id = 10: different in weight",
    "  id = 11: different in name, price",
    "  id = 12: different in name",
    "  id = 5000: only at the target",
    "  id = 9000: 2 times at the source, 1 times at the target",
    "  id = 12001: missing at the target",
]


def test_a_column_of_the_source_s_own_marks_no_row(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, _adl_deleted_at timestamptz)")
    bench.source.execute(
        "INSERT INTO items SELECT n, CASE WHEN n > 2 THEN now() END FROM generate_series(1, 9) n"
    )
    config_id = bench.row(primary_key_cols="id", shrink_guard_percent=50)
    bench.succeed(config_id)
    verified = verify(bench, config_id)
    assert (verified.outcome, verified.source_rows, verified.target_rows) == ("equal", 9, 9)
    bench.source.execute("DELETE FROM items WHERE id > 3")
    assert "would hold 3 rows where it holds 9" in bench.fail(config_id).message


def test_ranges_and_keys_that_differ_are_named(bench: Bench, loaded: int) -> None:
    verified = verify(bench, loaded)
    assert (verified.outcome, list(lines(verified))) == ("equal", [])
    assert (verified.source_rows, verified.target_rows, verified.later_rows) == (ROWS, ROWS, 0)
    assert verified.target_version == 0
    assert verified.compared is not None
    assert (verified.compared.parts.count, verified.compared.parts.cuts[0]) == (12, "1001")
    change(bench)
    verified = verify(bench, loaded)
    assert (verified.outcome, verified.source_rows, verified.target_rows) == ("different", ROWS + 1, ROWS)
    said = list(lines(verified))
    assert [line for line in said if line.startswith("  ")] == SAID
    assert [line for line in said if not line.startswith("  ")] == [
        "id to below 1002: 3 different",
        "id from 4002 to below 5003: 1 only at the target",
        "id from 8003 to below 9002: 1 different",
        "id from 11002 on: 1 missing at the target",
    ]


def test_a_source_that_cannot_digest_is_read(
    bench: Bench, loaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a server that keeps texts in another encoding."""
    monkeypatch.setattr(PostgresqlDialect, "digests", staticmethod(lambda *_, **__: None))
    monkeypatch.setattr(PostgresqlDialect, "within_parts", None)
    assert verify(bench, loaded).equal
    change(bench)
    verified = verify(bench, loaded)
    assert [line for line in lines(verified) if line.startswith("  ")] == SAID


def test_of_equal_rows_nothing_but_digests_travels_and_of_others_their_range(
    bench: Bench, loaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str | None] = []
    read = type(bench.engine).read

    def noted(engine: object, plan: object) -> Rows:
        reads.append(plan.where)
        return read(engine, plan)

    monkeypatch.setattr(type(bench.engine), "read", noted)
    assert verify(bench, loaded).equal
    assert reads == []
    bench.source.execute("UPDATE items SET name = 'x' WHERE id = 2500")
    assert not verify(bench, loaded).equal
    assert reads == ["(\"id\" >= CAST('2001' AS int8) AND \"id\" < CAST('3001' AS int8))"]


def test_rows_without_a_key_are_compared_as_often_as_they_are_there(bench: Bench) -> None:
    bench.source.execute(
        "CREATE TABLE items AS SELECT n % 900 AS a, NULL AS b FROM generate_series(1, 9000) n"
    )
    config_id = bench.row()
    bench.succeed(config_id)
    assert verify(bench, config_id).equal
    bench.source.execute("""
        INSERT INTO items SELECT * FROM items WHERE a = 7 LIMIT 1;
        DELETE FROM items WHERE a = 8;
        UPDATE items SET b = '' WHERE a = 9;
    """)
    verified = verify(bench, config_id)
    assert verified.compared is not None
    assert (verified.compared.parts.count, verified.compared.parts.column) == (8, None)
    counts = [(part.missing, part.extra, part.different) for part in verified.parts]
    assert [sum(each) for each in zip(*counts, strict=True)] == [1, 2, 1]
    said = "\n".join(lines(verified))
    assert " of 8 by hash: " in said
    assert ": 11 times at the source, 10 times at the target" in said
    assert ": 10 times at the source, 0 times at the target" in said


def test_a_key_of_texts_without_a_collation_is_cut_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "SAMPLE", 500)
    bench.source.execute("""
        CREATE TABLE base AS SELECT (n || 'a') COLLATE "C" AS a, (n || 'b') COLLATE "POSIX" AS b
        FROM generate_series(1, 6000) AS n
    """)
    config_id = bench.row(query="SELECT a || b AS code FROM base", primary_key_cols="code")
    bench.succeed(config_id)
    verified = verify(bench, config_id)
    assert verified.equal
    assert verified.compared is not None
    assert verified.compared.parts.count > 1


def test_texts_and_pairs_are_keys_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "SAMPLE", 500)
    bench.source.execute("""
        CREATE TABLE items AS
        SELECT CASE n % 3 WHEN 0 THEN 'Ä' WHEN 1 THEN 'z''\\' ELSE '€ ' END || n AS code, n AS day, 1 AS v
        FROM generate_series(1, 6000) AS n
    """)
    config_id = bench.row(primary_key_cols="code, day")
    bench.succeed(config_id)
    verified = verify(bench, config_id)
    assert verified.equal
    assert verified.compared is not None
    assert verified.compared.parts.column is not None
    assert verified.compared.parts.count == 6
    bench.source.execute("UPDATE items SET v = 2 WHERE day IN (3, 4)")
    said = list(lines(verify(bench, config_id)))
    assert """  code = "z'\\\\4", day = 4: different in v""" in said
    assert "  code = 'Ä3', day = 3: different in v" in said


def test_columns_that_do_not_fit_are_named(bench: Bench, loaded: int) -> None:
    bench.source.execute("""
        ALTER TABLE items ADD extra int;
        ALTER TABLE items DROP weight;
        ALTER TABLE items ALTER price TYPE text;
    """)
    verified = verify(bench, loaded)
    assert verified.outcome == "different"
    price, *others = lines(verified)
    assert price == (
        "Column price is decimal(12,4) at the target and string at the source (text): "
        "its values were not compared."
    )
    assert others == [
        "Column extra is not at the target.",
        "Column weight is only at the target: it was not compared.",
    ]
    bench.source.execute("ALTER TABLE items ALTER id TYPE text")
    assert "Key column id" in (verify(bench, loaded).reason or "")


IGNORING = {
    "load_strategy": "incremental",
    "schema_policy": "ignore",
    "primary_key_cols": "id",
    "incremental_column": "at",
    "lookback": "0",
}


def test_what_the_row_ignores_hinders_nothing(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT i AS id, i AS at FROM generate_series(1, 9) i")
    config_id = bench.row(**IGNORING)
    bench.succeed(config_id)
    bench.source.execute("ALTER TABLE items ADD extra numeric; UPDATE items SET extra = 'NaN'")
    bench.source.execute("DELETE FROM items WHERE id = 5")
    bench.succeed(config_id)
    verified = verify(bench, config_id)
    assert verified.outcome == "different"
    assert "  id = 5: only at the target" in lines(verified)


def test_a_key_that_the_row_ignores_is_said_as_a_load_says_it(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id, 1 AS at")
    config_id = bench.row(**IGNORING)
    bench.succeed(config_id)
    bench.source.execute("ALTER TABLE items ADD nr integer")
    bench.set(config_id, primary_key_cols="nr")
    reason = verify(bench, config_id).reason
    assert "primary_key_cols names column 'nr', which the target lacks, and schema_policy is ignore" in str(
        reason
    )
    bench.source.execute("DROP TABLE items; CREATE TABLE items AS SELECT 1 AS other")
    bench.set(config_id, load_strategy="full", primary_key_cols=None)
    verified = verify(bench, config_id)
    assert "have no column in common" in str(verified.reason)
    assert verified.source_rows == 1


def test_a_key_that_no_load_asks_for_hinders_nothing(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    config_id = bench.row(primary_key_cols="former")
    bench.succeed(config_id)
    verified = verify(bench, config_id)
    assert verified.outcome == "equal"
    assert any("Rows are compared as wholes: " in note and "former" in note for note in verified.notes)


def test_what_the_row_ignores_chooses_no_row(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE base (extra integer, id integer, v text, at integer)")
    bench.source.execute("INSERT INTO base VALUES (0, 1, '', 1)")
    config_id = bench.row(query="SELECT id, v, at FROM base", **IGNORING)
    bench.succeed(config_id)
    bench.source.execute("INSERT INTO base VALUES (2, 1, 'a', 2), (1, 1, 'b', 2)")
    bench.set(config_id, query="SELECT extra, id, v, at FROM base")
    bench.succeed(config_id)
    assert verify(bench, config_id).outcome == "equal"


@pytest.mark.parametrize("digests", [True, False], ids=["the source's digests", "read"])
def test_several_rows_of_one_key_are_not_equal_because_the_source_has_them_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, digests: bool
) -> None:
    if not digests:
        monkeypatch.setattr(PostgresqlDialect, "digests", staticmethod(lambda *_, **__: None))
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id, i AS v, i AS at FROM generate_series(1, 2) i")
    config_id = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at")
    bench.succeed(config_id)
    bench.set(config_id, load_strategy="full")
    bench.succeed(config_id)
    bench.set(config_id, load_strategy="incremental")
    verified = verify(bench, config_id)
    assert verified.outcome == "different"
    assert "  id = 1: 1 times at the source, 2 times at the target" in lines(verified)


def test_nothing_alike_is_said_column_by_column(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS v")
    config_id = bench.row()
    bench.succeed(config_id)
    bench.source.execute("ALTER TABLE items ALTER v TYPE text")
    verified = verify(bench, config_id)
    assert verified.outcome == "different"
    assert "Column v is int at the target and string at the source" in next(lines(verified))
