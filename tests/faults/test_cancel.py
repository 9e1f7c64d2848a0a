"""A backfill's process that is asked to end between two chunks, as by whoever cancels its run."""

from __future__ import annotations

import pytest

from tests.bench import Bench
from tests.faults.accident import commits, healthy, victim
from tests.faults.items import change_items, make_items, row_of


def _chunks(bench: Bench) -> list[int | None]:
    """Return the chunks that the target has commits of, whatever anybody says about it."""
    ours = [entry["commit"] for entry in commits(bench)]
    return [commit.facts.chunk for commit in ours if commit and commit.publishes]


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.faults)])
def test_cancelled_between_chunks(bench: Bench, control_url: str, name: str) -> None:
    make_items(bench)
    for round_ in (1, 2, 3):
        change_items(bench, round_)
    row = row_of(bench, "chunked_backfill")
    with victim(bench, control_url, bench.claim(row), moment="chunked", time=2, signal=name) as cancelled:
        said = cancelled.end()
    assert said.count("moment chunked") == 2, said
    (load,) = bench.history(row)
    assert (load.load_status, bench.state(row).last_status) == ("Cancelled", "Failed"), said
    assert _chunks(bench) == [1, 2]
    left = [chunk.number for chunk in bench.chunks(row) if chunk.committed_at is None]
    assert left[0] == 3
    assert f"Went on with chunk 3 of {left[-1]}." in bench.succeed(row).message
    assert _chunks(bench) == [*range(1, left[-1] + 1)]
    healthy(bench, row)
