"""What a target's own history says of it."""

from __future__ import annotations

from dataclasses import replace

from airflow_dataloader.core.commit import CLOSING_STEP, FENCE_STEP, SCAN_STEP, Commit
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target


def target(*steps: int) -> Target:
    """A target with commits of these steps, the newest first."""
    entries = tuple(
        HistoryEntry(
            table_version=9 - number, commit=Commit(app_id="adl:i:7", epoch=2, step=step, metadata_id=40)
        )
        for number, step in enumerate(steps)
    )
    return Target(version=9, columns={}, commits=entries, filled=True, continuous=True)


def test_what_was_published_last_lies_below_fences() -> None:
    held = target(FENCE_STEP, CLOSING_STEP, SCAN_STEP, 1)
    assert held.published == held.commits[2:]
    assert held.newest_published == held.commits[2]


def test_a_target_that_only_fences_have_touched_was_never_published_to() -> None:
    assert target(FENCE_STEP).newest_published is None
    assert target().newest_published is None


def test_the_newest_commit_speaks_for_all_before_it_unless_another_table_was_put_in_its_place() -> None:
    other = target(FENCE_STEP, 1).commits
    held = replace(target(FENCE_STEP, SCAN_STEP, 1), commits_of_others=other)
    assert held.origins == held.commits[1:2]
    assert replace(held, continuous=False).origins == (*held.commits[1:], other[1])
    assert target(FENCE_STEP).origins == ()
