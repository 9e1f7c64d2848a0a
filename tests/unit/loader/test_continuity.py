"""Whether a target still is what the row's loads have made of it."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.loader.continuity import why_discontinuous
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target


def target(*epochs: int, continuous: bool = True, step: int = 1) -> Target:
    commits = (Commit(app_id="adl:i:7", epoch=epoch, step=step, metadata_id=40) for epoch in epochs)
    entries = tuple(HistoryEntry(table_version=3, commit=commit) for commit in commits)
    return Target(version=3, columns={}, commits=entries, filled=True, continuous=continuous)


@pytest.mark.parametrize("published", [None, 4, 5])
def test_nothing_has_come_between(published: int | None) -> None:
    assert why_discontinuous(target(5, 3), published) is None


@pytest.mark.parametrize("found", [target(), target(5, step=0), target(5, continuous=False)])
def test_a_table_that_the_loads_did_not_leave_so(found: Target) -> None:
    assert "made anew" in (why_discontinuous(found, 5) or "")


def test_a_table_from_a_backup() -> None:
    assert why_discontinuous(target(4, 3), 5) == "The target is older than the last load on record;"
