"""What a load remembers of itself."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.loader.journal import Journal


def test_counts_add_up_to_a_receipt() -> None:
    journal = Journal()
    journal.record(rows_read=5)
    journal.record(rows_inserted=3, rows_updated=1)
    journal.remark("One row was left out.")
    assert journal.receipt.rows_published == 4
    assert journal.receipt.as_json()["notes"] == ("One row was left out.",)


def test_a_phase_that_ends_well_is_left_and_timed() -> None:
    journal = Journal()
    with journal.during(Phase.PUBLISH), journal.during(Phase.STAGE):
        assert journal.phase is Phase.STAGE
    assert journal.phase is Phase.START
    assert set(journal.receipt.seconds) == {Phase.STAGE, Phase.PUBLISH}


def test_a_phase_that_breaks_is_where_the_load_was() -> None:
    journal = Journal()
    with pytest.raises(RuntimeError), journal.during(Phase.PUBLISH):
        raise RuntimeError("disk full")
    assert journal.phase is Phase.PUBLISH


def test_parts_are_counted_by_themselves_and_added_up() -> None:
    journal = Journal()
    for rows in (3, None, 4):
        with journal.one_part():
            assert journal.receipt.rows_read is None
            journal.record(rows_read=rows)
    receipt = journal.receipt
    assert (receipt.rows_read, receipt.rows_deleted) == (7, None)


def test_a_part_that_breaks_off_counts_as_far_as_it_came() -> None:
    journal = Journal()
    journal.record(rows_read=3)
    with pytest.raises(RuntimeError), journal.one_part():
        _break_after(journal)
    assert (journal.receipt.rows_read, journal.receipt.null_keys) == (4, 2)


def test_what_is_done_aside_leaves_its_remarks_and_its_commit() -> None:
    journal = Journal()
    journal.record(rows_read=3, target_version=1, committed_by=7)
    with journal.aside(), journal.during(Phase.STAGE):
        journal.record(rows_read=9, rows_deleted=2, target_version=2, committed_by=None)
        journal.remark("Two rows are gone.")
    receipt = journal.receipt
    assert (receipt.rows_read, receipt.rows_deleted) == (3, None)
    assert (receipt.target_version, receipt.committed_by) == (2, None)
    assert receipt.notes == ("Two rows are gone.",)
    assert set(receipt.seconds) == {Phase.STAGE}


def _break_after(journal: Journal) -> None:
    journal.record(rows_read=1, null_keys=2)
    raise RuntimeError("disk full")


def test_the_source_is_needed_again_after_a_part_without_it() -> None:
    journal = Journal()
    with pytest.raises(RuntimeError), journal.without_source():
        _break_after(journal)
    with journal.without_source():
        assert not journal.needs_source
    assert journal.needs_source
