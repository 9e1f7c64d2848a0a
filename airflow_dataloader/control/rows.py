"""The documents' ``LakebaseResource`` as functions: what may be asked of rows and told to them.

What only a claim or a loader may write is refused here; the rest is guarded by the row's epoch or status.
"""

from __future__ import annotations

from airflow_dataloader.control.claim import insert_initial_metadata
from airflow_dataloader.control.intervene import advance_epoch, cancel, update_control_status
from airflow_dataloader.control.lookup import SelectedRow, get_control_tables, get_table_details, select_rows
from airflow_dataloader.control.retry import Reset, mark_for_review, reset_for_retry
from airflow_dataloader.control.tracking import update_metadata, update_run_tracking

__all__ = [
    "Reset",
    "SelectedRow",
    "advance_epoch",
    "cancel",
    "get_control_tables",
    "get_table_details",
    "insert_initial_metadata",
    "mark_for_review",
    "reset_for_retry",
    "select_rows",
    "update_control_status",
    "update_metadata",
    "update_run_tracking",
]
