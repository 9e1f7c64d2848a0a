"""Ending loads: the first who comes, whoever it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.ending import Ending, SettledBy, counts, end
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus, RowStatus
from tests.factories import add_source
from tests.integration.control.drive import claim_now, due_row, load, row, sql, start_now

FAILURE = Failure(phase=Phase.RUN, error="Oops", message="oops.", transient=True, fix="look")


def ending(metadata_id: int, epoch: int, **overrides: Any) -> Ending:
    values = {"status": LoadStatus.FAILED, "failure": FAILURE, "settled_by": SettledBy.REAP}
    return Ending(metadata_id=metadata_id, epoch=epoch, **(values | overrides))


def ended(engine: Engine, *endings: Ending) -> set[int]:
    with transaction(engine) as connection:
        return end(connection, endings)


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop", max_concurrent_loads=100)
    return due_row(control)


def test_row_and_load_end_together(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    assert ended(control, ending(started.metadata_id, 1, settled_by=SettledBy.TRIGGER)) == {
        started.metadata_id
    }
    record, current = load(control, started.metadata_id), row(control, config_id)
    assert (record["load_status"], current["last_status"]) == ("Failed", "Failed")
    assert record["log_message"] == current["last_status_message"] == "oops. Fix: look."
    assert record["failure"] == FAILURE.as_json() | {"settled_by": "trigger"}
    assert record["load_end_time"] >= record["load_start_time"]
    assert (record["lease_until"], record["reaping_until"]) == (None, None)


def test_a_final_status_never_changes(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    first = ending(started.metadata_id, 1, status=LoadStatus.CANCELLED)
    assert ended(control, first)
    before = load(control, started.metadata_id)
    assert ended(control, ending(started.metadata_id, 1)) == set()
    assert load(control, started.metadata_id) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"epoch": 2},
        {"nonce": "another"},
        {"while_in": frozenset({RowStatus.QUEUED})},
        {"lease_until": "stale"},
    ],
)
def test_what_is_not_as_it_was_seen_stays(control: Engine, config_id: int, changed: dict[str, Any]) -> None:
    started = start_now(control, config_id)
    if "lease_until" in changed:
        lease = load(control, started.metadata_id)["lease_until"]
        changed = {"lease_until": str(lease - timedelta(microseconds=1))}
        assert ended(control, ending(started.metadata_id, 1, **changed)) == set()
        assert ended(control, ending(started.metadata_id, 1, lease_until=str(lease)))
        return
    assert ended(control, ending(started.metadata_id, **({"epoch": 1} | changed))) == set()
    assert row(control, config_id)["last_status"] == "In Progress"


def test_several_at_once_each_by_itself(control: Engine, config_id: int) -> None:
    first, second = start_now(control, config_id), claim_now(control, due_row(control))
    over = claim_now(control, due_row(control))
    ended(control, ending(over.metadata_id, 1))
    endings = [ending(load.metadata_id, 1) for load in (first, second, over)]
    assert ended(control, *endings) == {first.metadata_id, second.metadata_id}
    assert ended(control) == set()


def test_only_one_of_many_who_try_ends_a_load(control: Engine, control_url: str, config_id: int) -> None:
    claims = [claim_now(control, due_row(control)) for _ in range(20)]
    engines = [create_engine(control_url) for _ in range(4)]
    endings = [ending(claimed.metadata_id, claimed.epoch) for claimed in claims]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: ended(engines[n % 4], *(endings if n % 2 else endings[::-1])), range(8))
        )
    for engine in engines:
        engine.dispose()
    told = [metadata_id for answer in answers for metadata_id in answer]
    assert sorted(told) == sorted(claimed.metadata_id for claimed in claims)


def test_a_row_whose_retries_are_used_up_is_marked_for_review(control: Engine, config_id: int) -> None:
    sql(control, "UPDATE control.table_control SET retry_count = 3")
    claimed = claim_now(control, config_id)
    ended(control, ending(claimed.metadata_id, 1))
    assert row(control, config_id)["last_status_message"] == (
        "[AI Analysis - Requires Review] Retries exhausted. oops. Fix: look."
    )
    assert load(control, claimed.metadata_id)["log_message"] == "oops. Fix: look."


@pytest.mark.parametrize("status", [LoadStatus.SUCCEEDED, LoadStatus.QUEUED])
def test_nobody_gives_a_load_up_as_a_success(status: LoadStatus) -> None:
    with pytest.raises(ValueError, match="cannot be given up"):
        ending(1, 1, status=status)


def test_a_receipt_s_facts_have_their_columns() -> None:
    assert counts(Receipt(rows_read=9, rows_inserted=1, rows_updated=2, high="z", target_version=4)) == {
        "rows_processed": 3,
        "rows_read": 9,
        "rows_inserted": 1,
        "rows_updated": 2,
        "rows_deleted": None,
        "watermark_high": "z",
        "target_version": 4,
    }
