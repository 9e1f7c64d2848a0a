"""What is due, by a policy and what a table's history says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_dataloader.core.maintenance import (
    MaintenancePolicy,
    Upkeep,
    optimize_is_due,
    vacuum_is_due,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def upkeep(optimized: timedelta | None, vacuumed: timedelta | None, changed: timedelta | None) -> Upkeep:
    """Times as how long they are ago."""
    times = [None if ago is None else NOW - ago for ago in (optimized, vacuumed, changed)]
    return Upkeep(optimized_at=times[0], vacuumed_at=times[1], changed_at=times[2], retention=7 * DAY)


@pytest.mark.parametrize(
    ("every", "optimized", "changed", "due"),
    [
        (None, None, HOUR, False),
        (DAY, None, HOUR, True),
        (DAY, None, None, True),
        (DAY, DAY, HOUR, True),
        (DAY, DAY - HOUR, HOUR, False),
        (DAY, 2 * DAY, 3 * DAY, False),
        (DAY, 2 * DAY, 2 * DAY, False),
        (DAY, 2 * DAY, None, False),
    ],
)
def test_a_table_is_compacted_when_it_has_changed_since(
    every: timedelta | None, optimized: timedelta | None, changed: timedelta | None, due: bool
) -> None:
    policy = MaintenancePolicy(optimize_every=every, vacuum_every=None)
    assert optimize_is_due(policy, upkeep(optimized, None, changed), NOW) is due
    assert not vacuum_is_due(policy, upkeep(optimized, None, changed), NOW)


@pytest.mark.parametrize(
    ("every", "vacuumed", "due"),
    [(None, None, False), (DAY, None, True), (DAY, DAY, True), (DAY, DAY - HOUR, False)],
)
def test_a_table_is_vacuumed_whether_or_not_it_has_changed(
    every: timedelta | None, vacuumed: timedelta | None, due: bool
) -> None:
    policy = MaintenancePolicy(optimize_every=None, vacuum_every=every)
    assert vacuum_is_due(policy, upkeep(None, vacuumed, 9 * DAY), NOW) is due
    assert not optimize_is_due(policy, upkeep(None, vacuumed, HOUR), NOW)


def test_the_longest_wait_is_how_far_back_to_look() -> None:
    assert MaintenancePolicy(optimize_every=DAY, vacuum_every=7 * DAY).longest == 7 * DAY
    assert MaintenancePolicy(optimize_every=DAY, vacuum_every=None).longest == DAY
