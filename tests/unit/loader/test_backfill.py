"""What travels with a backfill's commits."""

from __future__ import annotations

import pytest

from airflow_dataloader.control.backfill import Backfill, Chunk
from airflow_dataloader.core.commit import CHUNK, FINAL
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.backfill import Progress


def progress(mode: str) -> Progress:
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
        chunks=chunks,
    )
    return Progress(plan=plan, table=TargetName(catalog="c", schema="s", table="t"), left=chunks)


@pytest.mark.parametrize("mode", ["direct", "staged"])
def test_a_chunk_that_others_follow_names_no_watermark(mode: str) -> None:
    found = progress(mode)
    assert found.facts(found.plan.chunks[0]) == {"backfill": 5, CHUNK: 1}


def test_the_last_chunk_of_a_target_completes_it() -> None:
    found = progress("direct")
    facts = found.facts(found.plan.chunks[1])
    assert (facts[CHUNK], facts[FINAL], facts["watermark"], facts["low"]) == (2, True, "8", None)


def test_where_chunks_wait_only_the_overwrite_completes_the_target() -> None:
    found = progress("staged")
    assert FINAL not in found.facts(found.plan.chunks[1])
    assert found.facts(None) == {"backfill": 5, FINAL: True, "low": None, "high": "9", "watermark": "8"}
