"""Looking at a target: absent is an answer, not seeing it is an error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.core.commit import SCAN_STEP
from airflow_dataloader.core.facts import Bounds
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import APP, Workshop, commit

COLUMNS = {"Id": "int", "name": "string"}


def test_a_table_that_never_was_is_absent(workshop: Workshop) -> None:
    assert workshop.engine.inspect(workshop.table(), APP) is None
    folder = workshop.folder(workshop.table("leftovers"))
    folder.mkdir(parents=True)
    (folder / "part-0000.parquet").write_bytes(b"from a write that never committed")
    assert workshop.engine.inspect(workshop.table("leftovers"), APP) is None


def test_a_table_that_cannot_be_read_is_not_absent(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, "a")])
    log = workshop.folder(workshop.table()) / "_delta_log" / "00000000000000000000.json"
    for checksum in log.parent.glob("*.crc"):
        checksum.unlink()
    for checksum in log.parent.glob(".*.crc"):
        checksum.unlink()
    log.write_text("{ broken")
    with pytest.raises(EngineFailed, match="looking at"):
        workshop.another().inspect(workshop.table(), APP)


def test_columns_commits_and_rows_are_told(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [])
    engine.append(target, engine.read(workshop.plan(COLUMNS, [(1, "a")])), commit(2, window=Bounds(high="x")))
    other = replace(commit(9), app_id="adl:other:1")
    engine.append(target, engine.read(workshop.plan(COLUMNS, [(2, "b")])), other)
    found = engine.inspect(target, APP)
    assert found is not None
    assert (found.version, dict(found.columns), found.filled) == (2, COLUMNS, True)
    assert [(entry.table_version, entry.commit) for entry in found.commits] == [
        (1, commit(2, window=Bounds(high="x"))),
        (0, commit(1)),
    ]
    assert found.commits[0].metrics["numOutputRows"] == 1


def test_a_table_whose_rows_were_deleted_is_not_filled(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, "a"), (2, "b")])
    workshop.sql("DELETE FROM {t}", t=workshop.table())
    found = workshop.engine.inspect(workshop.table(), APP)
    assert found is not None
    assert not found.filled


def test_the_newest_commit_decides_whether_a_table_is_filled(workshop: Workshop) -> None:
    engine, target, dedup = workshop.engine, workshop.table(), Deduplication(keys=("Id",), cursor=None)
    for epoch, rows, filled in ((1, [], False), (2, [(1, "a")], True), (3, [], False), (4, [(1, "a")], True)):
        workshop.fill(target, COLUMNS, rows, epoch=epoch)
        found = engine.inspect(target, APP)
        assert found is not None
        assert found.filled is filled
    # Commits that add nothing say nothing about the rows that were there before.
    for epoch, rows in ((5, [(1, "a")]), (6, [(1, "b")])):
        engine.merge(target, workshop.stage(COLUMNS, rows, dedup), commit(epoch), dedup)
        found = engine.inspect(target, APP)
        assert found is not None
        assert found.filled
    workshop.sql("DELETE FROM {t} WHERE Id = 1", t=target)
    found = engine.inspect(target, APP)
    assert found is not None
    assert not found.filled


def test_the_history_is_read_back_to_an_epoch(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [(1, "a")])
    engine.append(target, engine.read(workshop.plan(COLUMNS, [(1, "a")])), commit(2))
    for number in range(25):
        workshop.sql(f"ALTER TABLE {{t}} SET TBLPROPERTIES ('touched' = '{number}')", t=target)
    engine.append(target, engine.read(workshop.plan(COLUMNS, [(1, "a")])), commit(3))
    near, far = engine.inspect(target, APP, back_to=4), engine.inspect(target, APP, back_to=3)
    assert near is not None
    assert far is not None
    assert [entry.commit.epoch for entry in near.commits] == [3]
    assert [entry.commit.epoch for entry in far.commits] == [3, 2, 1]


def test_all_commits_are_told_of_a_table_that_was_put_in_the_place_of_another(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [])
    data = engine.read(workshop.plan(COLUMNS, [(1, "a")]))
    other = replace(commit(9), app_id="adl:other:1")
    for one in (other, commit(2), commit(3), commit(4), commit(5)):
        engine.append(target, data, one)
    found = engine.inspect(target, APP, back_to=6)
    assert found is not None
    assert ([entry.commit.epoch for entry in found.commits], found.continuous) == ([5, 4, 3], True)
    workshop.sql("RESTORE TABLE {t} TO VERSION AS OF 1", t=target)
    found = engine.inspect(target, APP, back_to=6)
    assert found is not None
    assert ([entry.commit.epoch for entry in found.commits], found.continuous) == ([5, 4, 3, 2, 1], False)
    assert [(entry.table_version, entry.commit) for entry in found.commits_of_others] == [(1, other)]


def test_the_history_is_read_back_behind_scans_for_deleted_rows(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [(1, "a")])
    rows = engine.read(workshop.plan(COLUMNS, [(2, "b")]))
    for number in range(2):
        workshop.sql(f"ALTER TABLE {{t}} SET TBLPROPERTIES ('touched' = '{number}')", t=target)
    engine.append(target, rows, commit(2, SCAN_STEP, delete_scan=True))
    workshop.sql("ALTER TABLE {t} SET TBLPROPERTIES ('touched' = 'again')", t=target)
    found = engine.inspect(target, APP, back_to=3)
    assert found is not None
    assert [entry.commit.epoch for entry in found.commits] == [2, 1]


@pytest.mark.parametrize("name", ["region", "a b", "a.b", "#part", "Größe"])
def test_partitions_are_told(workshop: Workshop, name: str) -> None:
    target = workshop.table()
    workshop.sql(
        f"CREATE TABLE {{t}} (id INT, `{name}` STRING, day DATE) USING delta "
        f"PARTITIONED BY (`{name}`, day) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
        t=target,
    )
    found = workshop.engine.inspect(target, APP)
    assert found is not None
    assert found.partitioned_by == (name, "day")


def test_clusters_are_no_partitions(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.sql("CREATE TABLE {t} (id INT, name STRING) USING delta CLUSTER BY (name)", t=target)
    found = workshop.engine.inspect(target, APP)
    assert found is not None
    assert found.partitioned_by == ()


def test_names_are_compared_without_case(workshop: Workshop) -> None:
    workshop.fill(workshop.table("Orders"), COLUMNS, [(1, "a")])
    assert workshop.rows(workshop.table("ORDERS")) == [(1, "a")]


@pytest.mark.parametrize(
    "name", ["a b", "../../up", "wörld😀", "a/b", "a`b'\"c", "x" * 250, "per%20cent", ".hidden", "a=b"]
)
def test_any_table_name_works_and_stays_in_the_warehouse(workshop: Workshop, name: str) -> None:
    target = workshop.table(name)
    workshop.fill(target, COLUMNS, [(1, "a")])
    folder = workshop.folder(target)
    assert folder.parent.parent == workshop.home / "warehouse" / "main"
    assert workshop.rows(target) == [(1, "a")]
    assert workshop.engine.inspect(target, APP) is not None
