"""What travels with a backfill's commits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_dataloader.control.backfill import Backfill, Chunk
from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.backfill import BackfillState, commits_of
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target

PLANNED_AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
#: What every commit of the plan says.
OF = Facts(backfill=5, planned="2026-01-02T03:04:05.000006+00:00")
#: What the one that ends it says.
READ = Bounds(high="9", watermark="8")


def progress(mode: str) -> BackfillState:
    chunks = (Chunk(number=1), Chunk(number=2))
    plan = Backfill(
        id=5,
        mode=mode,
        content_hash="h",
        high="9",
        watermark="8",
        started_by=41,
        epoch=3,
        load_full=False,
        created_at=PLANNED_AT,
        chunks=chunks,
    )
    return BackfillState(plan=plan, table=TargetName(catalog="c", schema="s", table="t"), left=chunks)


@pytest.mark.parametrize("mode", ["direct", "staged"])
def test_a_chunk_that_others_follow_names_no_watermark(mode: str) -> None:
    found = progress(mode)
    assert found.facts(found.plan.chunks[0]) == replace(OF, chunk=1)


def test_the_last_chunk_of_a_target_completes_it() -> None:
    found = progress("direct")
    assert found.facts(found.plan.chunks[1]) == replace(OF, chunk=2, final=True, window=READ)


def test_where_chunks_wait_only_the_overwrite_completes_the_target() -> None:
    found = progress("staged")
    assert found.facts(found.plan.chunks[1]) == replace(OF, chunk=2)
    assert found.facts(None) == replace(OF, final=True, window=READ)


def test_commits_of_a_lost_plan_with_the_same_number_are_not_the_plan_s() -> None:
    found = progress("staged")
    # Of the same load and epoch, too: a restored control database gives all of them out again.
    commit = Commit(app_id="adl:i:7", epoch=3, step=1, metadata_id=41)
    lost = replace(found.plan, created_at=PLANNED_AT - timedelta(days=1))
    entries = tuple(
        HistoryEntry(table_version=version, commit=replace(commit, facts=one.facts(one.plan.chunks[0])))
        for version, one in enumerate((replace(found, plan=lost), found))
    )
    table = Target(version=1, columns={}, commits=entries, filled=True, continuous=True)
    assert commits_of(table, found.plan) == [entries[1]]
    assert commits_of(None, found.plan) == []
