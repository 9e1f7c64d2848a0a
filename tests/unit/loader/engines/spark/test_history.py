"""What a commit did, by the counters that Delta stores with it."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Written
from airflow_dataloader.loader.engines.spark.history import written

COMMIT = Commit(app_id="adl:i:1", epoch=1, step=1, metadata_id=1)


def entry(**metrics: int) -> HistoryEntry:
    return HistoryEntry(table_version=5, commit=COMMIT, metrics=metrics)


def test_an_overwrite_counts_its_output() -> None:
    assert written(entry(numOutputRows=7, numFiles=1)) == Written(version=5, rows_inserted=7, rows_in=7)


def test_a_write_of_nothing_has_no_counters() -> None:
    assert written(entry(numFiles=0), values_replaced=0) == Written(version=5, values_replaced=0)


def test_a_slice_does_not_count_rows_that_were_carried_over() -> None:
    found = written(entry(numOutputRows=9, numCopiedRows=7, numDeletedRows=3))
    assert found == Written(version=5, rows_inserted=2, rows_deleted=3, rows_in=2)


def test_rows_that_were_marked_are_deleted_ones_and_those_that_came_back_updated_ones() -> None:
    counted = {"numTargetRowsUpdated": 5, "numTargetRowsNotMatchedBySourceUpdated": 3}
    found = written(entry(numSourceRows=9, numTargetRowsDeleted=1, **counted))
    assert found == Written(version=5, rows_updated=2, rows_deleted=4, rows_in=9)


def test_a_merge_counts_the_rows_of_its_source() -> None:
    found = written(
        entry(
            numSourceRows=9,
            numTargetRowsInserted=2,
            numTargetRowsUpdated=3,
            numOutputRows=50,
            numTargetRowsCopied=45,
        )
    )
    assert found == Written(version=5, rows_inserted=2, rows_updated=3, rows_in=9)
