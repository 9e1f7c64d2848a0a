"""Taking a load away from its loader."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import lease
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.live import ObservedLoad, live_loads
from airflow_dataloader.control.takeover import fence, take_over
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.reaping import EndReason
from tests.integration.control.drive import ago, claim_now, load, row, sql, start_now

FAILURE = Failure(phase=Phase.RUN, error="LeaseExpired", message="silent", transient=True)


def see(engine: Engine) -> ObservedLoad:
    with transaction(engine) as connection:
        (seen,) = live_loads(connection)
    return seen


def test_a_fence_is_a_new_epoch_with_a_time(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    assert fence(control, see(control), EndReason.LEASE_EXPIRED, FAILURE, seconds=120) == 2
    record = load(control, started.metadata_id)
    assert (record["epoch"], row(control, config_id)["load_epoch"]) == (2, 2)
    assert (record["load_status"], row(control, config_id)["last_status"]) == ("In Progress", "In Progress")
    assert record["failure"] == FAILURE.as_json() | {"settled_by": "reap"}
    assert see(control).load.reaping_over == pytest.approx(-120, abs=5)


def test_a_fence_goes_beyond_a_history_that_is_ahead(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    sql(
        control,
        "INSERT INTO control.historical_metadata (control_key, config_id, load_status, epoch) "
        "SELECT control_key, config_id, 'Failed', 5 FROM control.historical_metadata "
        f"WHERE id = {started.metadata_id}",
    )
    assert fence(control, see(control), EndReason.TIMED_OUT, FAILURE, seconds=120) == 6
    assert row(control, config_id)["load_epoch"] == 6


def test_only_one_fences(control: Engine, config_id: int) -> None:
    start_now(control, config_id)
    seen = see(control)
    assert fence(control, seen, EndReason.TIMED_OUT, FAILURE, seconds=120) == 2
    assert fence(control, seen, EndReason.TIMED_OUT, FAILURE, seconds=120) is None
    assert fence(control, see(control), EndReason.TIMED_OUT, FAILURE, seconds=120) is None


@pytest.mark.parametrize(
    ("reason", "progressed", "expected"),
    [
        (EndReason.LEASE_EXPIRED, False, None),
        (EndReason.NO_PROGRESS, False, 2),
        (EndReason.NO_PROGRESS, True, None),
        (EndReason.TIMED_OUT, True, 2),
    ],
)
def test_a_sign_of_life_prevents_what_silence_caused(
    control: Engine, config_id: int, reason: EndReason, progressed: bool, expected: int | None
) -> None:
    started = start_now(control, config_id)
    seen = see(control)
    lease.heartbeat(control, started.metadata_id, 1, "nonce", progressed=progressed)
    assert fence(control, seen, reason, FAILURE, seconds=120) == expected


def test_a_load_that_is_over_or_queued_is_not_fenced(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    seen = see(control)
    cancel(control, started.metadata_id, "enough")
    assert fence(control, seen, EndReason.TIMED_OUT, FAILURE, seconds=120) is None
    claim_now(control, config_id)
    assert fence(control, see(control), EndReason.TIMED_OUT, FAILURE, seconds=120) is None
    assert row(control, config_id)["load_epoch"] == 2


def test_one_takes_over_what_was_left(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    fence(control, see(control), EndReason.TIMED_OUT, FAILURE, seconds=120)
    ago(control, started.metadata_id, reaping_until=1)
    seen = see(control)
    assert take_over(control, seen, seconds=120) == 2
    assert take_over(control, seen, seconds=120) is None
    assert see(control).load.reaping_over == pytest.approx(-120, abs=5)
