"""A loader's start and its heartbeats."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.transaction import round_trips
from airflow_dataloader.core.config_hash import content_hash
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.strategy import Strategy
from airflow_dataloader.exceptions import ConfigurationError, Fenced
from tests.factories import add_source
from tests.integration.control.drive import (
    ago,
    claim_now,
    due_row,
    edit,
    load,
    repair,
    row,
    sql,
    start_now,
)


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop")
    return due_row(
        control,
        load_strategy="incremental",
        incremental_column="changed_at",
        incremental_value="5",
        primary_key_cols="id",
    )


def failed(**facts: Any) -> Failure:
    return Failure(**({"phase": Phase.STAGE, "error": "Oops", "message": "oops", "transient": True} | facts))


def succeed(engine: Engine, config_id: int, **receipt: Any) -> int:
    started = start_now(engine, config_id)
    settle.succeed(engine, started, receipt=Receipt(**receipt), watermark=None)
    return started.metadata_id


def fail(engine: Engine, config_id: int, receipt: Receipt | None = None, **facts: Any) -> int:
    started = start_now(engine, config_id)
    settle.fail(engine, started, failure=failed(**facts), receipt=receipt)
    return started.metadata_id


def kill(engine: Engine, config_id: int) -> int:
    """Start a load whose loader is never heard of again, and give it up."""
    started = start_now(engine, config_id)
    cancel(engine, started.metadata_id, "gone")
    return started.metadata_id


def test_start_moves_row_and_load_together(control: Engine, config_id: int) -> None:
    claimed = claim_now(control, config_id)
    started = lease.start(
        control, claimed.metadata_id, claimed.epoch, nonce="n", databricks_run="7", workspace_host="https://w"
    )
    record, current = load(control, claimed.metadata_id), row(control, config_id)
    assert (record["load_status"], current["last_status"]) == ("In Progress", "In Progress")
    assert record["load_start_time"] == current["last_load_date_time"] == current["last_status_date_time"]
    assert (record["databricks_run"], record["workspace_host"], record["start_nonce"]) == (
        "7",
        "https://w",
        "n",
    )
    assert current["last_databricks_run"] == "7"
    assert (record["lease_until"] - record["progress_at"]).total_seconds() == pytest.approx(60, abs=1)
    assert (started.metadata_id, started.config_id, started.epoch) == (claimed.metadata_id, config_id, 1)
    assert started.config.strategy is Strategy.INCREMENTAL
    assert (started.config.incremental_value, started.last_receipt, started.uncertain) == ("5", None, ())
    assert sql(control, "SELECT id FROM control.installation") == [(started.installation,)]


def test_start_is_repeatable_with_its_nonce_only(control: Engine, config_id: int) -> None:
    claimed = claim_now(control, config_id)
    ids = (claimed.metadata_id, claimed.epoch)
    first = lease.start(control, *ids, nonce="one")
    begun = load(control, claimed.metadata_id)["load_start_time"]
    assert lease.start(control, *ids, nonce="one") == first
    assert load(control, claimed.metadata_id)["load_start_time"] == begun
    with pytest.raises(Fenced, match="was started by another loader"):
        lease.start(control, *ids, nonce="two")


def test_start_is_accepted_after_the_lease(control: Engine, config_id: int) -> None:
    claimed = claim_now(control, config_id)
    ago(control, claimed.metadata_id, lease_until=5_000)
    assert lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n").epoch == 1


def test_start_is_refused_when_the_load_is_not_the_row_s_any_more(control: Engine, config_id: int) -> None:
    claimed = claim_now(control, config_id)
    with pytest.raises(Fenced, match="held epoch 9"):
        lease.start(control, claimed.metadata_id, 9, nonce="n")
    with pytest.raises(Fenced, match="There is no load 999"):
        lease.start(control, 999, 1, nonce="n")
    cancel(control, claimed.metadata_id, "changed my mind")
    with pytest.raises(Fenced, match=r"is over: Cancelled\. changed my mind"):
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    later = claim_now(control, config_id)
    with pytest.raises(Fenced, match="is over"):
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    assert load(control, later.metadata_id)["load_status"] == "Queued"


def test_start_and_a_whole_load_take_few_round_trips(control: Engine, config_id: int) -> None:
    before = round_trips(control)
    started = start_now(control, config_id)
    settle.succeed(control, started, receipt=Receipt(), watermark="6")
    assert round_trips(control) - before <= 8


def test_a_configuration_of_another_version_fails_the_load_with_that_sentence(
    control: Engine, config_id: int
) -> None:
    claimed = claim_now(control, config_id)
    sql(
        control,
        "UPDATE control.historical_metadata "
        """SET config_snapshot = config_snapshot || '{"load_strategy": "mirror"}'""",
    )
    with pytest.raises(ConfigurationError, match=r"'mirror' is not a strategy.*same version"):
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    assert row(control, config_id)["last_status"] == "Failed"
    assert load(control, claimed.metadata_id)["failure"]["settled_by"] == "loader"


def test_a_heartbeat_renews_the_lease_and_moves_progress_only_where_there_was_some(
    control: Engine, config_id: int
) -> None:
    started = start_now(control, config_id)
    ids = (started.metadata_id, started.epoch, "nonce")
    ago(control, started.metadata_id, lease_until=100, progress_at=100)
    stale = load(control, started.metadata_id)
    lease.heartbeat(control, *ids, progressed=False)
    renewed = load(control, started.metadata_id)
    assert (renewed["lease_until"] - stale["lease_until"]).total_seconds() > 150
    assert renewed["progress_at"] == stale["progress_at"]
    lease.heartbeat(control, *ids, progressed=True, lease_seconds=600)
    moved = load(control, started.metadata_id)
    assert moved["progress_at"] > stale["progress_at"]
    assert (moved["lease_until"] - moved["progress_at"]).total_seconds() == pytest.approx(600, abs=1)


def test_a_heartbeat_is_one_round_trip(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    before = round_trips(control)
    lease.heartbeat(control, started.metadata_id, started.epoch, "nonce", progressed=True)
    assert round_trips(control) - before == 1


@pytest.mark.parametrize("lost", ["cancelled", "overtaken", "row deleted", "moved by hand", "other nonce"])
def test_a_heartbeat_of_a_lost_load_is_refused(control: Engine, config_id: int, lost: str) -> None:
    started = start_now(control, config_id)
    nonce = "nonce"
    match lost:
        case "cancelled":
            cancel(control, started.metadata_id, "stop")
        case "overtaken":
            cancel(control, started.metadata_id, "stop")
            start_now(control, config_id, nonce="next")
        case "row deleted":
            sql(control, "DELETE FROM control.table_control")
        case "moved by hand":
            repair(control, config_id, last_status=None)
        case "other nonce":
            nonce = "guessed"
    with pytest.raises(Fenced) as refused:
        lease.heartbeat(control, started.metadata_id, started.epoch, nonce, progressed=True)
    sentences = {
        "cancelled": "is over: Cancelled. stop",
        "overtaken": "is over: Cancelled. stop",
        "row deleted": "has lost its row, which was deleted.",
        "moved by hand": "is In Progress, and its row was set to NULL by hand.",
        "other nonce": "was started by another loader.",
    }
    assert sentences[lost] in str(refused.value)


def uncertain(engine: Engine, config_id: int) -> list[int]:
    return [attempt.metadata_id for attempt in start_now(engine, config_id).uncertain]


def test_loads_that_ended_by_their_own_loader_owe_nothing(control: Engine, config_id: int) -> None:
    succeed(control, config_id, target_version=3)
    fail(control, config_id)
    fail(control, config_id, Receipt(rows_read=5))
    assert uncertain(control, config_id) == []


def test_a_load_that_never_started_owes_nothing(control: Engine, config_id: int) -> None:
    claimed = claim_now(control, config_id)
    cancel(control, claimed.metadata_id, "never mind")
    assert uncertain(control, config_id) == []


def test_a_load_that_somebody_else_ended_is_owed_until_a_later_one_fences_or_publishes(
    control: Engine, config_id: int
) -> None:
    succeed(control, config_id, target_version=1)
    killed = kill(control, config_id)
    fail(control, config_id)
    also = kill(control, config_id)
    third = start_now(control, config_id)
    assert [attempt.metadata_id for attempt in third.uncertain] == [killed, also]
    settle.fail(control, third, failure=failed(), receipt=Receipt(fence_version=0))
    assert uncertain(control, config_id) == []


def test_a_load_that_read_nothing_pays_no_debt(control: Engine, config_id: int) -> None:
    killed = kill(control, config_id)
    succeed(control, config_id, rows_read=0)
    assert uncertain(control, config_id) == [killed]


def test_who_fenced_and_was_killed_owes_for_itself_only(control: Engine, config_id: int) -> None:
    kill(control, config_id)
    unknown = fail(control, config_id, Receipt(fence_version=4), outcome_unknown=True)
    assert uncertain(control, config_id) == [unknown]


def test_an_attempt_says_what_it_began_with(control: Engine, config_id: int) -> None:
    kill(control, config_id)
    edit(control, config_id, incremental_value="7")
    kill(control, config_id)
    edit(control, config_id, query="SELECT 1")
    started = start_now(control, config_id)
    first, second = started.uncertain
    assert (first.low, first.epoch, second.low, second.epoch) == ("5", 1, "7", 2)
    assert first.content_hash == second.content_hash != started.config.content_hash
    assert first.content_hash == content_hash(load(control, first.metadata_id)["config_snapshot"])


def test_the_last_receipt_is_the_last_success_s(control: Engine, config_id: int) -> None:
    succeed(control, config_id, rows_read=1)
    succeed(control, config_id, rows_read=2)
    fail(control, config_id, Receipt(rows_read=3))
    assert start_now(control, config_id).last_receipt == {"rows_read": 2}


def test_it_is_told_whether_that_was_at_the_same_target(control: Engine, config_id: int) -> None:
    def told() -> bool:
        found = start_now(control, config_id).last_was_here
        cancel_live(control, config_id)
        return found

    assert told() is False, "there is none"
    succeed(control, config_id, rows_read=1)
    assert told() is True
    name = row(control, config_id)["destination_table_name"]
    edit(control, config_id, destination_table_name="elsewhere")
    assert told() is False
    fail(control, config_id, Receipt(target_version=3))
    assert told() is False, "what failed there left no receipt"
    edit(control, config_id, destination_table_name=name.upper())
    assert told() is True, "a target's name has no case"


def test_the_epoch_of_the_last_load_that_published_is_told(control: Engine, config_id: int) -> None:
    def told() -> int | None:
        epoch = start_now(control, config_id).published_epoch
        cancel_live(control, config_id)
        return epoch

    assert told() is None
    succeed(control, config_id, target_version=1)
    assert told() == 2
    succeed(control, config_id, rows_read=0)
    fail(control, config_id, Receipt(fence_version=2))
    assert told() == 2, "neither published"
    succeed(control, config_id, target_version=1, committed_by=1)
    assert told() == 2, "it found the version of the other"
    fail(control, config_id, Receipt(target_version=3))
    last = told()
    assert last is not None
    assert last > 2, "it failed after its commit"
    edit(control, config_id, destination_table_name="elsewhere")
    assert told() is None, "another target's"
    heir = due_row(control, destination_table_name=row(control, config_id)["source_table_name"].upper())
    assert start_now(control, heir).published_epoch is None, "another row's"


def test_a_debt_at_another_target_is_not_paid_here(control: Engine, config_id: int) -> None:
    killed = kill(control, config_id)
    edit(control, config_id, destination_table_name="elsewhere")
    assert uncertain(control, config_id) == [], "nothing of it can land at this target"
    cancel_live(control, config_id)
    succeed(control, config_id, target_version=3)
    edit(control, config_id, destination_table_name=row(control, config_id)["source_table_name"].upper())
    assert uncertain(control, config_id) == [killed]


def test_a_debt_of_another_row_at_the_same_target_is_owed_too(control: Engine, config_id: int) -> None:
    killed = kill(control, config_id)
    edit(control, config_id, is_active=False)
    heir = due_row(control, destination_table_name=row(control, config_id)["destination_table_name"])
    (attempt,) = start_now(control, heir).uncertain
    assert (attempt.metadata_id, attempt.config_id) == (killed, config_id)
    cancel_live(control, heir)
    succeed(control, heir, target_version=3)
    assert uncertain(control, heir) == []


def test_the_debts_of_a_target_are_found_by_their_indexes(control: Engine, config_id: int) -> None:
    values: dict[str, Any] = dict.fromkeys(("databricks_run", "workspace_host"))
    values |= {"metadata_id": 1, "epoch": 1, "nonce": "n", "lease": 60}
    with control.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.execute(text(f"EXPLAIN {lease._START.text}"), values).scalars())
    assert "historical_metadata_fenced" in plan
    assert "historical_metadata_unsettled" in plan


def cancel_live(engine: Engine, config_id: int) -> None:
    """End the row's live load by its own loader, which wrote nothing."""
    (live,) = sql(
        engine,
        "SELECT id, epoch FROM control.historical_metadata WHERE config_id = :id AND load_end_time IS NULL",
        id=config_id,
    )
    again = lease.start(engine, live.id, live.epoch, nonce="nonce")
    settle.fail(engine, again, failure=failed(), receipt=None)
