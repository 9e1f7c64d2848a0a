"""SIGKILL between a load, its scan for deleted rows, and the settlement of both."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.faults.accident import healthy, kill_at, published
from tests.faults.items import change_items, loaded_and_changed

#: Where it dies, the how manieth time, and what the target holds of it then: load, scan.
KILLS = {
    "before the load": (Moment.PUBLISHING, 1, False, False),
    "after the load": (Moment.PUBLISHED, 1, True, False),
    "with the keys read": (Moment.STAGED, 2, True, False),
    "before the scan's commit": (Moment.PUBLISHING, 2, True, False),
    "after the scan's commit": (Moment.PUBLISHED, 2, True, True),
    "before settlement": (Moment.SETTLING, 1, True, True),
}
SAMPLE = {"after the scan's commit"}


@pytest.mark.parametrize(
    "kill", [pytest.param(kill, marks=() if kill in SAMPLE else pytest.mark.faults) for kill in KILLS]
)
def test_killed_around_a_scan(bench: Bench, control_url: str, kill: str) -> None:
    moment, time, loaded, scanned = KILLS[kill]
    row = loaded_and_changed(bench, "incremental", delete_policy="scan", delete_cron="@yearly")
    bench.source.execute("DELETE FROM items WHERE id % 50 = 1")
    bench.make_scan_due(row)
    dead = kill_at(bench, control_url, row, moment, time=time)
    assert published(bench, dead) == loaded
    assert (len(bench.target_rows()) == len(bench.source_rows())) == scanned
    change_items(bench, 2)
    bench.source.execute("DELETE FROM items WHERE id % 50 = 2")
    bench.make_scan_due(row)
    bench.succeed(row)
    healthy(bench, row)
    _, killed, last = bench.history(row)
    assert last.receipt["fence_version"] is not None
    if loaded:
        assert (killed.adopted_by, killed.rows_inserted) == (last.id, 98)
        assert killed.rows_deleted == (40 if scanned else 0)
        # It went on from where the dead load had come, whichever commit was its last.
        assert last.receipt["low"] == killed.watermark_high
    assert bench.succeed(row).receipt.fence_version is None
    healthy(bench, row)
