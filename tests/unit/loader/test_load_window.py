"""Where a window's load begins."""

from __future__ import annotations

from airflow_dataloader.loader.load_window import beginning
from tests.unit.loader.jobs import job, target


def test_load_full_begins_at_the_beginning() -> None:
    load = job(load_full="true", incremental_value="2026-01-01 00:00:00+00")
    load.target = target(filled=True)
    assert beginning(load) is None


def test_a_load_goes_on_from_the_row_s_watermark() -> None:
    load = job(incremental_value="2026-01-01 00:00:00+00")
    load.target = target(filled=True)
    assert beginning(load) == "2026-01-01 00:00:00+00"
