"""Several attempts in a row that nobody settled: what one owes, a later one pays, once (docs/adr/0004)."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.commit import CLOSING_STEP, txn_version
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.faults.accident import commits, healthy, kill_at, published
from tests.faults.items import change_items, loaded_and_changed, row_of


def _newest(bench: Bench) -> str:
    bench.source.execute("SET TimeZone = 'UTC'")
    found = bench.source.execute("SELECT max(updated_at)::text FROM items").fetchone()
    assert found is not None
    return str(found[0])


@pytest.mark.parametrize("strategy", ["incremental", pytest.param("full", marks=pytest.mark.faults)])
def test_killed_after_the_commit_twice(bench: Bench, control_url: str, strategy: str) -> None:
    row = loaded_and_changed(bench, strategy)
    dead = []
    for number in (2, 3):
        dead.append(kill_at(bench, control_url, row, Moment.PUBLISHED))
        change_items(bench, number)
    bench.succeed(row)
    healthy(bench, row)
    _, first, second, last = bench.history(row)
    assert (first.adopted_by, second.adopted_by) == (second.id, last.id)
    assert all(published(bench, ids) for ids in dead)
    if strategy == "incremental":
        assert bench.state(row).incremental_value == _newest(bench)
        # It went on from the second one's watermark, not from the last that was settled.
        assert last.receipt["low"] == second.watermark_high
    assert bench.succeed(row).receipt.fence_version is None


@pytest.mark.parametrize(
    "moments",
    [
        ("publishing", "fenced"),
        pytest.param(("published", "fenced"), marks=pytest.mark.faults),
        pytest.param(("fenced", "fenced"), marks=pytest.mark.faults),
        pytest.param(("published", "fenced", "staged", "fenced"), marks=pytest.mark.faults),
    ],
    ids=" ".join,
)
def test_killed_after_the_fence(bench: Bench, control_url: str, moments: tuple[str, ...]) -> None:
    row = loaded_and_changed(bench, "incremental")
    if moments[0] == "fenced":
        # Somebody has to owe a fence before anybody makes one.
        kill_at(bench, control_url, row, "started")
    for number, moment in enumerate(moments):
        kill_at(bench, control_url, row, moment)
        change_items(bench, 2 + number)
    last = bench.succeed(row)
    assert last.receipt.fence_version is not None, "a fence whose maker died is made again"
    healthy(bench, row)
    assert bench.state(row).incremental_value == _newest(bench)
    assert bench.succeed(row).receipt.fence_version is None


@pytest.mark.parametrize("killed_at", ["published", pytest.param("publishing", marks=pytest.mark.faults)])
def test_another_row_takes_the_target_of_a_killed_load(
    bench: Bench, control_url: str, killed_at: str
) -> None:
    row = loaded_and_changed(bench, "incremental")
    dead = kill_at(bench, control_url, row, killed_at)
    bench.set(row, is_active=False)
    heir = row_of(bench, "incremental")
    assert bench.succeed(heir).receipt.fence_version is not None
    assert bench.target_rows() == bench.source_rows()
    closed = [entry["txn"].get(f"adl:{bench.installation}:{row}", 0) for entry in commits(bench)]
    assert max(closed) >= txn_version(dead.epoch, CLOSING_STEP), "nothing of the dead load's epoch can land"
    assert bench.succeed(heir).receipt.fence_version is None
    bench.set(heir, is_active=False)
    bench.set(row, is_active=True)
    change_items(bench, 2)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).incremental_value == _newest(bench)


@pytest.mark.faults
def test_another_row_takes_the_target_of_a_load_that_was_killed_twice(bench: Bench, control_url: str) -> None:
    row = loaded_and_changed(bench, "incremental")
    kill_at(bench, control_url, row, "started")
    kill_at(bench, control_url, row, "fenced")
    bench.set(row, is_active=False)
    bench.succeed(row_of(bench, "incremental"))
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.faults
@pytest.mark.parametrize("killed_at", ["planned", "published"])
def test_a_clean_failure_does_not_pay_for_a_killed_load(
    bench: Bench, control_url: str, killed_at: str
) -> None:
    row = loaded_and_changed(bench, "incremental")
    kill_at(bench, control_url, row, killed_at)
    bench.source.execute("ALTER TABLE items RENAME TO elsewhere")
    failed = bench.fail(row)
    assert failed.receipt.fence_version is None, "it failed before it came to the fence"
    bench.source.execute("ALTER TABLE elsewhere RENAME TO items")
    change_items(bench, 2)
    assert bench.succeed(row).receipt.fence_version is not None
    healthy(bench, row)
    assert bench.succeed(row).receipt.fence_version is None


@pytest.mark.faults
def test_a_clean_failure_after_its_fence_has_paid(bench: Bench, control_url: str) -> None:
    row = loaded_and_changed(bench, "incremental")
    kill_at(bench, control_url, row, "published")
    # Found while it plans the window, after the fence.
    bench.set(row, null_cursor_policy="fail")
    bench.source.execute("ALTER TABLE items ALTER updated_at DROP NOT NULL")
    bench.source.execute("INSERT INTO items VALUES (999999, 'no cursor', NULL)")
    failed = bench.fail(row)
    assert failed.receipt.fence_version is not None
    bench.source.execute("DELETE FROM items WHERE updated_at IS NULL")
    change_items(bench, 2)
    assert bench.succeed(row).receipt.fence_version is None
    healthy(bench, row)
    assert bench.state(row).incremental_value == _newest(bench)
