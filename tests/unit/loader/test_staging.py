"""Rows between reading and publishing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind
from airflow_dataloader.loader.staging import (
    LONGEST,
    record_duplicates,
    record_null_keys,
    remark_on_keys,
    stage_rows,
)
from tests.unit.loader.active_loads import Answers, active_load

DEDUP = Deduplication(keys=("id",), cursor="updated_at")


class Shelf:
    """An engine that keeps stages by name; ``stubborn``: it cannot remove them."""

    def __init__(self, rows: int, null_keys: int = 0, *, keys: int = 0, stubborn: bool = False) -> None:
        self.stages: dict[TargetName, Stage] = {}
        self.keys = keys
        self._rows, self._null_keys, self._stubborn = rows, null_keys, stubborn

    def read(self, plan: ReadPlan) -> ReadPlan:
        return plan

    def stage(self, rows: ReadPlan, name: TargetName, dedup: Deduplication | None) -> Stage:
        self.stages[name] = Stage(name=name, columns=(), rows=self._rows, null_keys=self._null_keys)
        return self.stages[name]

    def duplicates(self, stage: Stage, keys: Sequence[str], limit: int) -> list[tuple[str, ...]]:
        if self._stubborn:
            raise EngineFailed("The warehouse is away.")
        return [(f"{number}" * 200,) for number in range(4)][:limit]

    def count(self, name: TargetName) -> int:
        return self._rows

    def count_keys(self, stage: Stage, keys: Sequence[str]) -> int:
        return self.keys

    def null_keys(
        self, stage: Stage, keys: Sequence[str], names: Sequence[str], limit: int
    ) -> list[tuple[str | None, ...]]:
        if self._stubborn:
            raise EngineFailed("The warehouse is away.")
        return [(None, f"{number}" * 200) for number in range(self._null_keys)][:limit]

    def drop_stage(self, name: TargetName) -> None:
        if self._stubborn:
            raise EngineFailed("The warehouse is away.")
        self.stages.pop(name, None)


def plan(load: ActiveLoad) -> ReadPlan:
    return ReadPlan(endpoint=load.endpoint, columns=(), relation="items")


def test_a_stage_is_counted_and_then_removed() -> None:
    shelf = Shelf(5, null_keys=2)
    load = active_load(engine=shelf)
    with stage_rows(load, plan(load), DEDUP) as stage:
        assert shelf.stages == {load.stage_name: stage}
    assert not shelf.stages
    assert (load.journal.receipt.rows_read, load.journal.receipt.null_keys) == (5, 2)
    remark_on_keys(load)
    assert "2 rows with NULL in the key" in load.journal.receipt.notes[0]


def test_a_stage_is_removed_when_the_load_breaks() -> None:
    shelf = Shelf(5)
    load = active_load(engine=shelf)
    with pytest.raises(RuntimeError), stage_rows(load, plan(load), DEDUP):
        raise RuntimeError("merge failed")
    assert not shelf.stages


def test_the_source_is_needed_until_the_rows_are_there() -> None:
    load = active_load(engine=Shelf(5))
    with stage_rows(load, plan(load), DEDUP):
        assert not load.journal.needs_source
    assert load.journal.needs_source


def test_a_stage_that_stays_does_not_spoil_the_load() -> None:
    load = active_load(engine=Shelf(5, stubborn=True))
    with stage_rows(load, plan(load), DEDUP) as stage:
        assert stage.rows == 5


def test_rows_that_got_lost_on_the_way_fail_the_load() -> None:
    shelf = Shelf(5)
    load = active_load(engine=shelf, session=Answers([(True,)]))
    load.journal.record(source_rows=6, snapshot="exported")
    with pytest.raises(EngineFailed, match=r"6 rows .* 5 arrived"), stage_rows(load, plan(load), DEDUP):
        pass
    assert not shelf.stages


@pytest.mark.parametrize("values", [{}, {"query": "SELECT * FROM items"}], ids=["view", "query"])
def test_a_view_may_select_other_rows_the_second_time(values: dict[str, str]) -> None:
    load = counted([] if values else [[(False,)]], again=4, **values)
    with stage_rows(load, plan(load), DEDUP):
        assert "selects by the time" in load.journal.receipt.notes[0]


@pytest.mark.parametrize("values", [{}, {"query": "SELECT * FROM items"}], ids=["view", "query"])
def test_a_view_that_counts_the_same_rows_again_has_lost_some_on_the_way(values: dict[str, str]) -> None:
    load = counted([] if values else [[(False,)]], again=6, **values)
    with pytest.raises(EngineFailed, match=r"6 rows .* 5 arrived"), stage_rows(load, plan(load), DEDUP):
        pass
    assert load.journal.receipt.notes == ()


def counted(before: list[list[tuple[bool]]], again: int, **values: str) -> ActiveLoad:
    """A load of a source that counted six rows, and counts so many the second time; five arrive."""
    plan_of_no_table = [([{"Plan": {"Node Type": "Result"}}],)]
    load = active_load(engine=Shelf(5), session=Answers(plan_of_no_table, *before, [(again,)]), **values)
    load.journal.record(source_rows=6, snapshot="exported")
    load.snapshot = Snapshot(kind=SnapshotKind.EXPORTED, id="00000003-1")
    load.relation = "items"
    return load


def test_without_a_common_snapshot_counts_may_differ() -> None:
    load = active_load(engine=Shelf(5))
    load.journal.record(source_rows=6, snapshot="none")
    with stage_rows(load, plan(load), DEDUP) as stage:
        assert stage.rows == 5


def test_duplicates_are_counted_and_a_few_of_their_keys_written_down() -> None:
    shelf = Shelf(9, null_keys=2)
    load = active_load(engine=shelf)
    with stage_rows(load, plan(load), DEDUP) as stage:
        record_duplicates(load, stage, DEDUP, 7)
        assert (load.journal.receipt.duplicate_keys, load.journal.receipt.duplicate_sample) == (0, ())
        for chunk in range(3):
            shelf.keys = 3 + chunk
            record_duplicates(load, stage, DEDUP, 3 + chunk)
    sample = [key["id"] for key in load.journal.receipt.duplicate_sample]
    assert [text[0] for text in sample] == ["0", "1", "2", "3", "0"]
    assert {len(text) for text in sample} == {LONGEST}


def test_a_sample_that_cannot_be_had_does_not_spoil_the_load() -> None:
    load = active_load(engine=Shelf(9, keys=3, stubborn=True))
    with stage_rows(load, plan(load), DEDUP) as stage:
        record_duplicates(load, stage, DEDUP, 3)
    assert (load.journal.receipt.duplicate_keys, load.journal.receipt.duplicate_sample) == (6, ())


@pytest.mark.parametrize(
    ("dedup", "published", "keys"),
    [
        pytest.param(DEDUP, 8, 9, id="a key too few"),
        pytest.param(DEDUP, 8, 7, id="repeated, and not left out"),
        pytest.param(DEDUP, 10, 9, id="a row too many"),
        pytest.param(Deduplication(keys=(), cursor="updated_at"), 8, 0, id="no key that could repeat"),
    ],
)
def test_rows_that_no_repeated_key_accounts_for_fail_the_load(
    dedup: Deduplication, published: int, keys: int
) -> None:
    load = active_load(engine=Shelf(9, keys=keys))
    with (
        stage_rows(load, plan(load), dedup) as stage,
        pytest.raises(EngineFailed, match=f"and {published} came"),
    ):
        record_duplicates(load, stage, dedup, published)
    assert load.journal.receipt.duplicate_keys is None


def test_rows_without_a_key_are_named_as_far_as_there_is_room() -> None:
    load = active_load(engine=Shelf(9, null_keys=4))
    with stage_rows(load, plan(load), DEDUP) as stage:
        for _ in range(3):
            record_null_keys(load, stage, DEDUP)
    sample = load.journal.receipt.null_key_sample
    assert [row["id"] for row in sample] == [None] * 5
    assert [row["updated_at"] for row in sample] == [text * LONGEST for text in "01230"]
    remark_on_keys(load)
    assert f"left out (the first: id NULL, updated_at '{'0' * LONGEST}')." in load.journal.receipt.notes[0]


def test_rows_without_a_key_that_cannot_be_looked_up_do_not_spoil_the_load() -> None:
    load = active_load(engine=Shelf(9, null_keys=2, stubborn=True))
    with stage_rows(load, plan(load), DEDUP) as stage:
        record_null_keys(load, stage, DEDUP)
    remark_on_keys(load)
    assert load.journal.receipt.notes == ("2 rows with NULL in the key were left out.",)
