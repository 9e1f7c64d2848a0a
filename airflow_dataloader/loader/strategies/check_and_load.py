"""``check_and_load``: ask the source whether anything changed, and only then load as ``incremental`` does."""

from __future__ import annotations

from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.boundary import ask_boundary, carry_over, is_unchanged, record_boundary
from airflow_dataloader.loader.load_window import beginning_of_merge, load_frozen
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.window import freeze_window


def run(load: ActiveLoad) -> Outcome:
    """Do nothing where one query proves that nothing is new; else merge the window."""
    low = beginning_of_merge(load)
    if low is not None and is_unchanged(load, low):
        carry_over(load)
        load.journal.record(low=low, high=low, rows_read=0, rows_inserted=0, rows_updated=0)
        load.journal.remark("no changes")
        return Outcome()
    window = freeze_window(load, low)
    boundary = None
    # One that has gone back proves nothing by what it holds at the watermark: what comes to it lies below.
    if window.watermark is not None and window.high is not None and not window.behind:
        # Before publishing: a source that is lost afterwards must not fail a load that has committed.
        boundary = ask_boundary(load, window.watermark)
    outcome = load_frozen(load, window, load.engine.merge)
    if boundary is not None:
        record_boundary(load, boundary)
    return outcome
