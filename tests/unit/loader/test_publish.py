"""One write to the target."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.exceptions import EngineFailed, LeaseLost
from airflow_dataloader.loader.engines.protocol import Target, Written
from airflow_dataloader.loader.publish import publish
from tests.unit.loader.active_loads import active_load


def test_what_was_written_is_in_the_receipt() -> None:
    load = active_load()
    commits: list[Commit] = []

    def write(commit: Commit) -> Written:
        commits.append(commit)
        return Written(version=12, rows_inserted=3, rows_updated=2, rows_deleted=1)

    publish(load, Facts(window=Bounds(watermark="9")), write)
    receipt = load.journal.receipt
    assert (receipt.target_version, receipt.rows_published, receipt.rows_deleted) == (12, 5, 1)
    assert [commit.facts.window for commit in commits] == [Bounds(watermark="9")]


def test_a_commit_says_what_it_was_made_over() -> None:
    load, bases = active_load(), []

    def write(commit: Commit) -> Written:
        bases.append(commit.facts.read_version)
        return Written(version=12)

    publish(load, Facts(), write)
    load.target = Target(version=11, columns={}, commits=(), filled=True, continuous=True, digest="d")
    publish(load, Facts(), write)
    assert bases == [(-1, ""), (11, "d")]


def test_more_rows_than_were_read_are_no_success() -> None:
    load = active_load()
    with pytest.raises(EngineFailed, match=r"More rows .* than were read"):
        publish(load, Facts(), lambda _: Written(version=12, rows_inserted=3, rows_in=2, rows_present=-1))
    assert load.journal.receipt.target_version == 12, "it is at the target, and on record"


def test_nothing_is_written_once_the_lease_is_lost() -> None:
    load = active_load(lost=True)
    written: list[Commit] = []

    def write(commit: Commit) -> Written:
        written.append(commit)
        return Written(version=0)

    with pytest.raises(LeaseLost):
        publish(load, Facts(), write)
    assert not written
    assert load.journal.receipt.target_version is None


def test_a_write_that_breaks_leaves_the_load_in_its_phase() -> None:
    load = active_load()

    def write(commit: Commit) -> Written:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        publish(load, Facts(), write)
    assert load.journal.phase is Phase.PUBLISH
