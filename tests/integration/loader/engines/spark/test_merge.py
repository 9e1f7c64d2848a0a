"""The guarded MERGE."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from airflow_dataloader.core.facts import Bounds
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import APP, Workshop, commit

COLUMNS = {"id": "int", "at": "int", "name": "string"}
BY_ID = Deduplication(keys=("id",), cursor="at")


def merge(workshop: Workshop, columns, rows, epoch, dedup=BY_ID):  # type: ignore[no-untyped-def]
    stage = workshop.stage(columns, rows, dedup)
    return workshop.engine.merge(workshop.table(), stage, commit(epoch), dedup)


def counts(written):  # type: ignore[no-untyped-def]
    return written.rows_in, written.rows_inserted, written.rows_updated, written.rows_deleted


def test_new_keys_are_inserted_and_rows_that_differ_updated(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1, "a"), (2, 1, "b"), (3, 1, "c")])
    written = merge(workshop, COLUMNS, [(1, 1, "a"), (2, 2, "B"), (4, 2, "d")], 2)
    assert counts(written) == (3, 1, 1, 0)
    assert workshop.rows(workshop.table()) == [(1, 1, "a"), (2, 2, "B"), (3, 1, "c"), (4, 2, "d")]


def test_the_newest_row_of_a_key_wins_and_null_keys_stay_out(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1, "a")])
    rows = [(1, 2, "x"), (1, 3, "y"), (1, None, "z"), (2, 5, "p"), (2, 5, "q"), (None, 9, "no")]
    assert counts(merge(workshop, COLUMNS, rows, 2)) == (2, 1, 1, 0)
    # A row without a cursor is read by every load, so it counts as the newest in every load.
    assert workshop.rows(workshop.table()) == [(1, None, "z"), (2, 5, "q")]


def test_a_late_merge_cannot_turn_time_back(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 5, "new"), (2, 5, "same"), (3, None, "unknown")])
    rows = [(1, 4, "old"), (2, 5, "tie"), (3, 1, "known")]
    assert counts(merge(workshop, COLUMNS, rows, 2)) == (3, 0, 2, 0)
    assert workshop.rows(workshop.table()) == [(1, 5, "new"), (2, 5, "tie"), (3, 1, "known")]


def test_a_source_row_without_cursor_is_taken(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 5, "new")])
    assert counts(merge(workshop, COLUMNS, [(1, None, "later")], 2)) == (1, 0, 1, 0)


def test_merging_the_same_rows_again_changes_nothing(workshop: Workshop) -> None:
    rows = [(1, 1, None), (2, None, "b")]
    workshop.fill(workshop.table(), COLUMNS, rows)
    written = merge(workshop, COLUMNS, rows, 2)
    assert counts(written) == (2, 0, 0, 0)
    assert written.version == 1


def test_counts_of_inserts_alone_and_of_an_empty_target(workshop: Workshop) -> None:
    workshop.engine.fence(workshop.table(), workshop.plan(COLUMNS).columns, commit(1, 0))
    assert counts(merge(workshop, COLUMNS, [(1, 1, "a"), (1, 2, "b"), (2, 1, "c")], 2)) == (2, 2, 0, 0)
    assert counts(merge(workshop, COLUMNS, [(3, 1, "d")], 3)) == (1, 1, 0, 0)
    assert counts(merge(workshop, COLUMNS, [], 4)) == (0, 0, 0, 0)
    assert len(workshop.rows(workshop.table())) == 3


def test_values_that_spark_calls_equal_and_are_not(workshop: Workshop) -> None:
    columns = {"id": "int", "at": "int", "x": "double", "y": "float"}
    old = [(1, 1, "0.0", "1.5"), (2, 1, "NaN", "NaN"), (3, 1, None, "0.0"), (4, 1, "-0.0", "-0.0")]
    workshop.fill(workshop.table(), columns, old)
    new = [(1, 1, "-0.0", "1.5"), (2, 1, "NaN", "NaN"), (3, 1, None, "-0.0"), (4, 1, "-0.0", "-0.0")]
    assert counts(merge(workshop, columns, new, 2)) == (4, 0, 2, 0)
    found = {row[0]: row[2:] for row in workshop.rows(workshop.table())}
    assert (math.copysign(1, found[1][0]), math.copysign(1, found[3][1])) == (-1, -1)


def test_exact_ties_are_broken_the_same_way_every_time(workshop: Workshop) -> None:
    columns = {"id": "int", "at": "int", "x": "double", "b": "binary", "d": "decimal(38,10)"}
    rows = [
        (1, 1, value, data, digits)
        for value in (0.0, -0.0, math.nan, None)
        for data in (b"\x00", b"\xff", None)
        for digits in (Decimal("0.1"), Decimal("-9999999999999999999999999999.9999999999"))
    ]
    found = []
    for epoch, order in enumerate((rows, rows[::-1]), start=2):
        workshop.fill(workshop.table(), columns, [], epoch=2 * epoch)
        merge(workshop, columns, order, 2 * epoch + 1)
        found.append(repr(workshop.rows(workshop.table())))
    assert found[0] == found[1]


def test_keys_of_several_columns_and_of_odd_names(workshop: Workshop) -> None:
    names = ["select", "a.b", "ta`ck", "emöji😀", "x" * 128, 'quo"te', "back\\slash", "%s", "MiXed"]
    columns = dict.fromkeys(names, "string")
    dedup = Deduplication(keys=("a.b", "ta`ck"), cursor="emöji😀")
    workshop.fill(workshop.table(), columns, [("1",) * 9, ("2",) * 9])
    rows = [("n", "1", "1", "2", "n", "n", "n", "n", "n"), ("3",) * 9]
    assert counts(merge(workshop, columns, rows, 2, dedup)) == (2, 1, 1, 0)
    assert workshop.rows(workshop.table()) == sorted([rows[0], ("2",) * 9, ("3",) * 9], key=repr)
    assert list(workshop.engine.inspect(workshop.table(), APP).columns) == names  # type: ignore[union-attr]


def test_timestamps_as_keys_and_cursors_keep_their_microseconds(workshop: Workshop) -> None:
    columns = {"day": "date", "at": "timestamp", "wall": "timestamp_ntz"}
    first = datetime(2026, 10, 25, 0, 59, 59, 999999, tzinfo=UTC)
    old = [
        (datetime(1582, 10, 10).date(), first, datetime(1, 1, 1)),
        (datetime(9999, 12, 31).date(), first, None),
    ]
    dedup = Deduplication(keys=("day",), cursor="at")
    workshop.fill(workshop.table(), columns, old)
    later = first + timedelta(microseconds=1)
    new = [(old[0][0], later, datetime(9999, 12, 31, 23, 59, 59, 999999))]
    assert counts(merge(workshop, columns, new, 2, dedup)) == (1, 0, 1, 0)
    assert workshop.rows(workshop.table()) == sorted([new[0], old[1]], key=repr)


def test_new_columns_are_added_and_missing_ones_stay(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS | {"gone": "string"}, [(1, 1, "a", "kept"), (2, 1, "b", "kept")])
    written = merge(
        workshop, COLUMNS | {"New": "string"}, [(1, 1, "a", "n"), (2, 1, "b", None), (3, 1, "c", "m")], 2
    )
    assert counts(written) == (3, 1, 1, 0)
    assert workshop.rows(workshop.table(), ["id", "gone", "New"]) == [
        (1, "kept", "n"),
        (2, "kept", None),
        (3, None, "m"),
    ]


def test_a_column_of_another_case_is_the_same_column(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1, "a")])
    dedup = Deduplication(keys=("ID",), cursor="AT")
    written = merge(workshop, {"ID": "int", "AT": "int", "NAME": "string"}, [(1, 2, "b")], 2, dedup)
    assert counts(written) == (1, 0, 1, 0)
    assert list(workshop.engine.inspect(workshop.table(), APP).columns) == ["id", "at", "name"]  # type: ignore[union-attr]


def test_a_narrower_type_goes_into_a_wider_column(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), {"id": "bigint", "x": "decimal(20,4)"}, [(1, "1.5")])
    dedup = Deduplication(keys=("id",), cursor=None)
    merge(workshop, {"id": "int", "x": "decimal(10,2)"}, [(2, "2.25")], 2, dedup)
    assert workshop.rows(workshop.table()) == [(1, Decimal("1.5000")), (2, Decimal("2.2500"))]


@pytest.mark.parametrize("verb", ["merge", "append", "overwrite"])
def test_a_cluster_that_widens_nothing_by_itself_cuts_no_value(workshop: Workshop, verb: str) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, {"id": "int", "x": "int"}, [(1, 5)])
    new, rows = {"id": "int", "x": "decimal(12,2)"}, [(2, "1.75")]
    conf = engine._context.spark.conf
    name = "spark.databricks.delta.typeWidening.allowAutomaticWidening"
    conf.set(name, "same_family_type")
    try:
        if verb == "merge":
            merge(workshop, new, rows, 2, Deduplication(keys=("id",), cursor=None))
        elif verb == "append":
            engine.append(target, engine.read(workshop.plan(new, rows)), commit(2))
        else:
            engine.overwrite(target, engine.read(workshop.plan(new, rows)), commit(2), keep_columns=True)
    finally:
        conf.unset(name)
    assert dict(engine.inspect(target, APP).columns) == new  # type: ignore[union-attr]
    assert (2, Decimal("1.75")) in workshop.rows(target)


def test_a_wider_type_widens_the_column(workshop: Workshop) -> None:
    old = {"id": "int", "x": "decimal(10,2)", "y": "float", "z": "smallint"}
    workshop.fill(workshop.table(), old, [(1, "1.25", "0.1", 1), (2, "2.25", "0.5", 2)])
    new = {"id": "bigint", "x": "decimal(12,4)", "y": "double", "z": "decimal(12,2)"}
    dedup = Deduplication(keys=("id",), cursor=None)
    rows = [
        (1, "1.25", 0.10000000149011612, "1"),
        (2, "2.2501", "0.5", "2.75"),
        (2**40, "99999999.9999", "1e300", "3.99"),
    ]
    assert counts(merge(workshop, new, rows, 2, dedup)) == (3, 1, 1, 0)
    assert dict(workshop.engine.inspect(workshop.table(), APP).columns) == new  # type: ignore[union-attr]
    assert workshop.rows(workshop.table())[-1] == (2, Decimal("2.2501"), 0.5, Decimal("2.75"))
    assert counts(merge(workshop, old, [(1, "1.25", "0.1", 1)], 3, dedup)) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int", "string"),
        ("decimal(10,2)", "decimal(10,4)"),
        ("date", "timestamp"),
        # Every value would fit, and Delta has no way from the one to the other.
        ("smallint", "decimal(7,2)"),
        ("bigint", "decimal(21,2)"),
    ],
)
def test_a_type_that_does_not_fit_is_refused_by_name(workshop: Workshop, old: str, new: str) -> None:
    workshop.fill(workshop.table(), {"id": "int", "x": old}, [])
    dedup = Deduplication(keys=("id",), cursor=None)
    with pytest.raises(SchemaRefused, match=r"Column x .*load_full") as refused:
        merge(workshop, {"id": "int", "x": new}, [(1, None)], 2, dedup)
    assert (refused.value.field, old in str(refused.value), new in str(refused.value)) == ("x", True, True)
    assert workshop.version(workshop.table()) == 0


def test_nothing_of_a_merge_leaks_into_the_next_write(workshop: Workshop) -> None:
    spark = workshop.engine._context.spark
    before = {name for name, _ in _confs(spark)}
    workshop.fill(workshop.table(), COLUMNS, [])
    merge(workshop, COLUMNS, [(1, 1, "a")], 2)
    with pytest.raises(SchemaRefused):
        merge(workshop, COLUMNS | {"at": "string"}, [(1, "x", "a")], 3)
    assert {name for name, _ in _confs(spark)} == before
    workshop.fill(workshop.table("other"), COLUMNS, [(5, 5, "e")], epoch=1)
    assert workshop.rows(workshop.table("other")) == [(5, 5, "e")]


def _confs(spark):  # type: ignore[no-untyped-def]
    return [
        (row.key, row.value)
        for row in spark.sql("SET").collect()
        if "txn" in row.key or "commitInfo" in row.key
    ]


@pytest.mark.parametrize(
    "high", ["b${env:HOME}", "${system:user.dir}", "${spark.databricks.delta.commitInfo.userMetadata}", "$"]
)
def test_what_a_commit_says_is_never_taken_for_a_variable(workshop: Workshop, high: str) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1, "a")])
    stage = workshop.stage(COLUMNS, [(1, 2, "b")], BY_ID)
    workshop.engine.merge(workshop.table(), stage, commit(2, window=Bounds(high=high)), BY_ID)
    found = workshop.engine.inspect(workshop.table(), APP)
    assert found is not None
    assert found.commits[0].commit.facts.window == Bounds(high=high)


def test_a_compaction_after_a_merge_is_not_taken_for_it(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1, "a")])
    workshop.sql("INSERT INTO {t} VALUES (5, 1, 'e')", t=workshop.table())
    workshop.sql("INSERT INTO {t} VALUES (6, 1, 'f')", t=workshop.table())
    workshop.sql(
        "ALTER TABLE {t} SET TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')", t=workshop.table()
    )
    conf, name = workshop.engine._context.spark.conf, "spark.databricks.delta.autoCompact.minNumFiles"
    conf.set(name, "2")
    written = merge(workshop, COLUMNS, [(1, 2, "b"), (2, 2, "c")], 2)
    conf.unset(name)
    newest, *_ = workshop.sql("DESCRIBE HISTORY {t}", t=workshop.table())
    assert newest.operation == "OPTIMIZE"
    assert written.version == newest.version - 1
    assert counts(written) == (2, 1, 1, 0)
