"""The status machine of a row."""

from __future__ import annotations

from airflow_dataloader.core.status import LoadStatus, RowStatus


def test_a_row_knows_no_cancellation_and_a_load_does() -> None:
    assert {str(status) for status in RowStatus} == {"Queued", "In Progress", "Succeeded", "Failed"}
    assert {str(status) for status in LoadStatus} - {str(status) for status in RowStatus} == {"Cancelled"}
