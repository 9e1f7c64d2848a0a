"""When a load may take the source's word that nothing changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.boundary import ask_boundary, carry_over, is_unchanged, record_boundary
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target
from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.unit.loader.active_loads import Answers, active_load

LOW = "2026-01-01 10:00:00+00"
SAME = [(0, 2, 77)]


def at_version(load: ActiveLoad, version: int) -> Target:
    commit = Commit(app_id=load.app_id, epoch=2, step=1, metadata_id=40)
    entry = HistoryEntry(table_version=version, commit=commit)
    return Target(version=version, columns={}, commits=(entry,), filled=True, continuous=True)


def loaded(*answers: Any, **snapshot: Any) -> ActiveLoad:
    """A load whose last load left a boundary at version 5 of the target."""
    described = tuple(
        DescribedColumn(name=name, base=base, declared=base)
        for name, base in {"id": "int4", "updated_at": "timestamptz"}.items()
    )
    values = {"load_strategy": "check_and_load", "incremental_value": LOW} | snapshot
    values["watermark_of"] = snapshot.get("watermark_of", active_load(**values).config.watermark_hash)
    load = active_load(session=Answers(SAME, *answers), **values)
    load.described, load.columns = described, plan_columns(described, ValuePolicy.FAIL).columns
    load.snapshot = Snapshot(kind=SnapshotKind.EXPORTED, id="1")
    load.journal.record(target_version=5)
    record_boundary(load, ask_boundary(load, LOW))
    load.started = replace(load.started, last_receipt=load.journal.receipt.as_json())
    load.target = at_version(load, 5)
    return load


def test_the_same_boundary_and_nothing_newer_is_no_change() -> None:
    load = loaded(SAME, [(False,)])
    assert is_unchanged(load, LOW)
    carry_over(load)
    assert load.journal.receipt.boundary == (load.started.last_receipt or {})["boundary"]


def test_nothing_is_unchanged_while_the_watermark_lies_beyond_the_source_s_clock() -> None:
    assert not is_unchanged(loaded(SAME, [(True,)]), LOW)


@pytest.mark.parametrize("answer", [(1, 2, 77), (0, 3, 77), (0, 2, 78)])
def test_what_differs_is_a_change(answer: tuple[int, int, int]) -> None:
    assert not is_unchanged(loaded([answer]), LOW)


def test_nothing_is_asked_where_somebody_has_published_since() -> None:
    load = loaded()
    load.target = at_version(load, 6)
    assert not is_unchanged(load, LOW)


def test_nothing_is_asked_for_a_watermark_that_a_person_set() -> None:
    assert not is_unchanged(loaded(watermark_of=None), LOW)


def test_nothing_is_asked_after_a_load_that_left_no_boundary() -> None:
    load = loaded()
    load.started = replace(load.started, last_receipt={"rows_read": 1})
    assert not is_unchanged(load, LOW)


def test_another_watermark_or_column_is_a_change() -> None:
    assert not is_unchanged(loaded(SAME), "2026-01-02 10:00:00+00")
    load = loaded(SAME)
    load.columns = load.columns[1:]
    assert not is_unchanged(load, LOW)


def test_a_load_without_a_common_snapshot_leaves_no_boundary() -> None:
    load = loaded(SAME)
    load.journal.record(boundary=None)
    load.snapshot = Snapshot(kind=SnapshotKind.NONE, id=None)
    record_boundary(load, ask_boundary(load, LOW))
    assert load.journal.receipt.boundary is None


def test_a_load_that_published_nothing_is_of_the_version_that_it_found() -> None:
    load = loaded(SAME)
    load.journal.record(target_version=None)
    load.target = at_version(load, 9)
    record_boundary(load, ask_boundary(load, LOW))
    assert (load.journal.receipt.boundary or {})["version"] == 9
