"""A loader's last word: row and history together, edits kept, late words refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import settle
from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.transaction import round_trips
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import Fenced, ValueRefused
from tests.factories import add_source
from tests.integration.control.drive import ago, claim_now, due_row, edit, load, row, sql, start_now

RECEIPT = Receipt(rows_read=10, rows_inserted=6, rows_updated=2, rows_deleted=1, high="9", target_version=4)
FAILURE = Failure(
    phase=Phase.STAGE, error="SourceRefused", message="No table x.", transient=False, fix="name one"
)


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop")
    return due_row(
        control,
        load_strategy="incremental",
        load_full="true",
        incremental_column="changed_at",
        incremental_value="5",
        primary_key_cols="id",
    )


def succeed(engine: Engine, started: Started, **overrides: Any) -> settle.Settled:
    values: dict[str, Any] = {"receipt": RECEIPT, "watermark": "9"} | overrides
    return settle.succeed(engine, started, **values)


def test_success_is_written_with_its_receipt(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    ago(control, started.metadata_id, load_queued_time=90)
    assert succeed(control, started, message="fine") == settle.Settled(kept_edits=(), message="fine")
    record, current = load(control, started.metadata_id), row(control, config_id)
    expected = {
        "load_status": "Succeeded",
        "rows_processed": 8,
        "rows_read": 10,
        "rows_inserted": 6,
        "rows_updated": 2,
        "rows_deleted": 1,
        "watermark_low": "5",
        "watermark_high": "9",
        "target_version": 4,
        "receipt": RECEIPT.as_json(),
        "log_message": "fine",
        "failure": None,
        "lease_until": None,
    }
    assert {name: record[name] for name in expected} == expected
    assert 90 <= record["total_duration"] < 200
    assert record["load_end_time"] > record["load_start_time"]
    assert (current["last_status"], current["last_status_message"]) == ("Succeeded", "fine")
    assert (current["incremental_value"], current["load_strategy"]) == ("9", "incremental")
    assert current["load_full"] == "true", "nobody said that it was done"


@pytest.mark.parametrize(
    ("queued", "seconds"),
    [
        ("'0044-03-15 BC'", 2_147_483_647),
        ("'-infinity'", 2_147_483_647),
        ("'infinity'", 0),
        ("'2999-01-01'", 0),
        ("NULL", None),
    ],
)
def test_a_load_with_an_odd_time_in_its_record_succeeds_all_the_same(
    control: Engine, config_id: int, queued: str, seconds: int | None
) -> None:
    started = start_now(control, config_id)
    sql(control, f"UPDATE control.historical_metadata SET load_queued_time = {queued}")
    succeed(control, started)
    record = load(control, started.metadata_id)
    assert (record["load_status"], record["total_duration"]) == ("Succeeded", seconds)


def test_what_follows_for_the_row(control: Engine, config_id: int) -> None:
    sql(control, "UPDATE control.table_control SET retry_count = 2, staging_model_processed = true")
    started = start_now(control, config_id)
    succeed(control, started, watermark=None, strategy_after="append_only", clear_load_full=True)
    current = row(control, config_id)
    assert (current["incremental_value"], current["load_strategy"], current["load_full"]) == (
        "5",
        "append_only",
        None,
    )
    assert (current["retry_count"], current["staging_model_processed"]) == (0, True)
    succeed(control, start_now(control, config_id), staging_changed=True)
    assert row(control, config_id)["staging_model_processed"] is False


def test_a_moved_watermark_is_no_edit_and_a_new_strategy_is_one(control: Engine, config_id: int) -> None:
    succeed(control, start_now(control, config_id))
    assert row(control, config_id)["row_version"] == 1
    succeed(control, start_now(control, config_id), strategy_after="append_only")
    assert row(control, config_id)["row_version"] == 2
    assert sql(
        control,
        "SELECT change_source, changed_fields FROM control.table_control_history "
        "WHERE change_type = 'UPDATE'",
    ) == [("loader", ["load_strategy"])]


@pytest.mark.parametrize(
    ("edits", "kept"),
    [
        ({"incremental_value": "1"}, ("incremental_value",)),
        ({"incremental_value": None}, ("incremental_value",)),
        ({"load_strategy": "full"}, ("load_strategy",)),
        ({"load_full": "yes"}, ("load_full",)),
        ({"incremental_value": "1", "load_strategy": "full", "load_full": "yes"},
         ("incremental_value", "load_strategy", "load_full")),
        ({"incremental_value": "9", "load_strategy": "append_only", "load_full": None}, ()),
        ({"priority": 7, "primary_key_cols": "a, b"}, ()),
    ],
)  # fmt: skip
def test_an_edit_during_the_load_wins_and_is_named(
    control: Engine, config_id: int, edits: dict[str, Any], kept: tuple[str, ...]
) -> None:
    started = start_now(control, config_id)
    edit(control, config_id, **edits)
    values = {"strategy_after": "append_only", "clear_load_full": True, "message": "done."}
    told = f"done. Edited meanwhile, left as edited: {', '.join(kept)}." if kept else "done."
    settled = settle.Settled(kept_edits=kept, message=told)
    assert succeed(control, started, **values) == settled
    assert load(control, started.metadata_id)["receipt"].get(settle.KEPT_EDITS, []) == list(kept)
    current = row(control, config_id)
    untouched = {"incremental_value": "9", "load_strategy": "append_only", "load_full": None}
    assert {name: current[name] for name in untouched} == untouched | {
        name: value for name, value in edits.items() if name in untouched
    }
    assert {name: current[name] for name in edits} == edits
    assert current["last_status_message"] == told
    assert load(control, started.metadata_id)["log_message"] == told
    assert succeed(control, started, **values) == settled, "the same answer to the same word"


def test_a_word_said_twice_counts_once(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    succeed(control, started)
    edit(control, config_id, incremental_value="1")
    before = load(control, started.metadata_id), row(control, config_id)
    succeed(control, started, message="again")
    assert (load(control, started.metadata_id), row(control, config_id)) == before


def test_settling_is_one_round_trip(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    before = round_trips(control)
    succeed(control, started)
    assert round_trips(control) - before == 1


def test_failure_is_written_with_its_facts(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    receipt = Receipt(rows_read=3, fence_version=2)
    settle.fail(control, started, failure=FAILURE, receipt=receipt)
    record, current = load(control, started.metadata_id), row(control, config_id)
    assert record["failure"] == FAILURE.as_json() | {"settled_by": "loader"}
    assert (record["load_status"], record["rows_read"], record["rows_processed"]) == ("Failed", 3, 0)
    assert record["receipt"] == {"rows_read": 3, "fence_version": 2}
    assert current["last_status"] == "Failed"
    assert current["last_status_message"] == record["log_message"] == "No table x. Fix: name one."
    assert (current["incremental_value"], current["load_full"]) == ("5", "true")
    settle.fail(control, started, failure=FAILURE, receipt=receipt)
    assert (load(control, started.metadata_id), row(control, config_id)) == (record, current)


@pytest.mark.parametrize(("edited", "left"), [("true", None), ("yes", "yes")])
def test_a_failure_after_the_table_was_replaced_on_demand_says_that_this_is_done(
    control: Engine, config_id: int, edited: str, left: str | None
) -> None:
    started = start_now(control, config_id)
    edit(control, config_id, load_full=edited)
    settle.fail(control, started, failure=FAILURE, receipt=RECEIPT, load_full_done=True)
    current = row(control, config_id)
    assert (current["last_status"], current["load_full"]) == ("Failed", left)


def test_a_cancelled_loader_leaves_the_row_failed(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    settle.fail(control, started, failure=FAILURE, receipt=None, cancelled=True)
    assert load(control, started.metadata_id)["load_status"] == "Cancelled"
    assert row(control, config_id)["last_status"] == "Failed"


@pytest.mark.parametrize("lost", ["ended", "overtaken", "other nonce", "row deleted", "other epoch"])
@pytest.mark.parametrize("word", ["succeed", "fail"])
def test_a_late_word_is_refused_and_changes_nothing(
    control: Engine, config_id: int, lost: str, word: str
) -> None:
    started = start_now(control, config_id)
    match lost:
        case "ended":
            cancel(control, started.metadata_id, "stop", settled_by=SettledBy.REAP, status=LoadStatus.FAILED)
        case "overtaken":
            cancel(control, started.metadata_id, "stop")
            start_now(control, config_id, nonce="next")
        case "other nonce":
            started = replace(started, nonce="guessed")
        case "row deleted":
            sql(control, "DELETE FROM control.table_control")
        case "other epoch":
            started = replace(started, epoch=started.epoch - 1)
    before = everything(control)
    facts: dict[str, Any] = {"watermark": "9"} if word == "succeed" else {"failure": FAILURE}
    with pytest.raises(Fenced):
        getattr(settle, word)(control, started, receipt=RECEIPT, **facts)
    assert everything(control) == before


def everything(engine: Engine) -> list[Any]:
    rows = sql(engine, "SELECT to_jsonb(t) FROM control.table_control t ORDER BY config_id")
    return rows + sql(engine, "SELECT to_jsonb(h) FROM control.historical_metadata h ORDER BY id")


def test_only_the_first_of_two_opposite_words_counts(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    succeed(control, started)
    with pytest.raises(Fenced, match="is over: Succeeded"):
        settle.fail(control, started, failure=FAILURE, receipt=None)
    assert not cancel(control, started.metadata_id, "too late")
    assert row(control, config_id)["last_status"] == "Succeeded"


def killed_then_started(engine: Engine, config_id: int) -> Started:
    lost = start_now(engine, config_id)
    cancel(engine, lost.metadata_id, "gone")
    return start_now(engine, config_id)


def adopt(engine: Engine, started: Started, **overrides: Any) -> settle.Adopted:
    found = Receipt(target_version=8, rows_inserted=3, rows_updated=1)
    values: dict[str, Any] = {"found": found, "watermark": "9"}
    return settle.adopt(engine, started, started.uncertain[0], **(values | overrides))


def test_an_adopted_commit_repairs_the_watermark_and_the_record(control: Engine, config_id: int) -> None:
    started = killed_then_started(control, config_id)
    adopted = adopt(control, started)
    assert adopted.moved
    assert adopted.started.config.incremental_value == "9"
    record = load(control, started.uncertain[0].metadata_id)
    assert (record["load_status"], record["adopted_by"]) == ("Cancelled", started.metadata_id)
    assert (record["target_version"], record["watermark_high"], record["rows_processed"]) == (8, "9", 4)
    own = load(control, started.metadata_id)
    assert (own["watermark_low"], own["config_snapshot"]["incremental_value"]) == ("9", "9")
    assert row(control, config_id)["incremental_value"] == "9"
    assert adopt(control, started) == adopted, "repeatable"
    assert succeed(control, adopted.started, watermark="12").kept_edits == ()
    assert row(control, config_id)["incremental_value"] == "12"


def test_an_edited_watermark_is_not_repaired(control: Engine, config_id: int) -> None:
    started = killed_then_started(control, config_id)
    edit(control, config_id, incremental_value="1")
    adopted = adopt(control, started)
    assert (adopted.moved, adopted.started) == (False, started)
    assert row(control, config_id)["incremental_value"] == "1"
    assert load(control, started.uncertain[0].metadata_id)["target_version"] == 8
    assert succeed(control, started, watermark="12").kept_edits == ("incremental_value",)


def test_a_commit_that_says_nothing_of_the_watermark_is_recorded(control: Engine, config_id: int) -> None:
    started = killed_then_started(control, config_id)
    assert not adopt(control, started, watermark=None).moved
    assert row(control, config_id)["incremental_value"] == "5"
    assert load(control, started.uncertain[0].metadata_id)["adopted_by"] == started.metadata_id


def test_a_fenced_load_adopts_nothing(control: Engine, config_id: int) -> None:
    started = killed_then_started(control, config_id)
    cancel(control, started.metadata_id, "gone too")
    with pytest.raises(Fenced):
        adopt(control, started)
    assert row(control, config_id)["incremental_value"] == "5"
    assert load(control, started.uncertain[0].metadata_id)["adopted_by"] is None


#: Characters that PostgreSQL has not, and what is kept in their place.
UNKEPT = [("\0", "\ufffd"), ("\ud800", "\ufffd")]


@pytest.mark.parametrize(("bad", "seen"), UNKEPT)
def test_a_text_that_cannot_be_kept_keeps_no_load_from_its_end(
    control: Engine, config_id: int, bad: str, seen: str
) -> None:
    started = start_now(control, config_id)
    sample = replace(RECEIPT, duplicate_keys=1, duplicate_sample=({"id": f"a{bad}b"},))
    succeed(control, started, receipt=sample, message=f"one{bad}two")
    record = load(control, started.metadata_id)
    assert record["receipt"]["duplicate_sample"] == [{"id": f"a{seen}b"}]
    assert record["log_message"] == row(control, config_id)["last_status_message"] == f"one{seen}two"
    started = start_now(control, config_id)
    failure = replace(FAILURE, message=f"no{bad}thing", fix=None)
    settle.fail(control, started, failure=failure, receipt=replace(RECEIPT, high=f"z{bad}"))
    record = load(control, started.metadata_id)
    assert (record["log_message"], record["failure"]["message"]) == (f"no{seen}thing", f"no{seen}thing")
    assert record["watermark_high"] is None, "rather none than another one"
    claimed = claim_now(control, config_id)
    assert cancel(control, claimed.metadata_id, f"en{bad}ough")
    assert load(control, claimed.metadata_id)["log_message"] == f"en{seen}ough"


@pytest.mark.parametrize(("bad", "seen"), UNKEPT)
def test_a_watermark_that_cannot_be_kept_is_refused_as_it_is(
    control: Engine, config_id: int, bad: str, seen: str
) -> None:
    started = start_now(control, config_id)
    with pytest.raises(ValueRefused, match="control database cannot keep") as refused:
        succeed(control, started, watermark=f"a{bad}b")
    assert refused.value.field == "incremental_column"
    assert load(control, started.metadata_id)["load_status"] == "In Progress"
    assert row(control, config_id)["incremental_value"] == "5"
    settle.fail(control, started, failure=Failure.of(refused.value, Phase.PLAN), receipt=None)
    assert "a\\" in row(control, config_id)["last_status_message"], "named by an escape"
