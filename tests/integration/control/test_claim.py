"""The claim as a whole: each row once, the same answer to the same question, no row stops another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.retry import Reset, reset_for_retry
from airflow_dataloader.control.transaction import round_trips, transaction
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.exceptions import ConfigurationError, RowRefused
from tests.conftest import Server
from tests.factories import add_row, add_source
from tests.integration.control.drive import (
    LONG_AGO,
    due_row,
    edit,
    load,
    loads_of,
    repair,
    row,
    shared_by_threads,
    sql,
)


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop", max_concurrent_loads=100)


def test_takes_what_is_due_and_nothing_else(control: Engine) -> None:
    due = due_row(control)
    add_row(control)
    add_row(control, next_load_date_time="2999-01-01")
    due_row(control, is_active=False)
    (claimed,) = claim(control, airflow_run="run")
    assert (claimed.config_id, claimed.epoch, claimed.load_status) == (due, 1, "Queued")
    assert row(control, due)["last_status"] == "Queued"
    assert load(control, claimed.metadata_id)["load_status"] == "Queued"


def test_rows_that_are_left_out_take_nobody_s_place(control: Engine) -> None:
    first, second, third = due_row(control, priority=9), due_row(control), due_row(control)
    # The claim looks again for it: the row that comes before cannot be loaded.
    wrong = due_row(control, priority=8, load_strategy="sideways")
    claimed = claim(control, airflow_run="run", batch_size=1, left_out=[first])
    assert [load.config_id for load in claimed] == [wrong, second]
    assert claim(control, airflow_run="more", left_out=[first, third]) == []
    assert claim(control, airflow_run="asked", only=[first], left_out=[first]) == []
    assert [load.config_id for load in claim(control, airflow_run="rest")] == [first, third]


def test_a_claim_that_leaves_rows_out_arms_rows_first(control: Engine) -> None:
    other = due_row(control)
    row_of_cron = add_row(control, load_cron="0 0 1 1 *")
    assert claim(control, airflow_run="run", left_out=[other]) == []
    assert row(control, row_of_cron)["next_load_date_time"] is not None


def test_the_same_run_gets_the_same_loads(control: Engine) -> None:
    for _ in range(15):
        due_row(control)
    first = claim(control, airflow_run="run")
    assert len(first) == 10
    cancel(control, first[3].metadata_id, "enough")
    again = claim(control, airflow_run="run")
    assert [load.metadata_id for load in again] == [load.metadata_id for load in first]
    assert [load.metadata_id for load in again] == sorted(load.metadata_id for load in again)
    assert (again[3].load_status, again[3].message) == ("Cancelled", "enough")
    assert [load.config for load in again] == [load.config for load in first]
    assert len(claim(control, airflow_run="another run")) == 5


def test_a_strategy_longer_than_its_column_in_the_history_stops_no_other(control: Engine) -> None:
    long, good = due_row(control, load_strategy="x" * 255), due_row(control)
    claimed = {load.config_id: load.load_status for load in claim(control, airflow_run="run")}
    assert claimed == {long: "Failed", good: "Queued"}


def test_an_answer_that_was_lost_after_the_commit(control: Engine, control_url: str) -> None:
    rows = {due_row(control) for _ in range(3)}
    # The claim is committed and its client gone before it could tell anybody.
    lost = create_engine(control_url)
    claim(lost, airflow_run="run")
    lost.dispose()
    assert {claimed.config_id for claimed in claim(control, airflow_run="run")} == rows
    assert all(len(loads_of(control, config_id)) == 1 for config_id in rows)


def test_two_airflows_may_have_the_same_run_ids(control: Engine) -> None:
    due_row(control), due_row(control)
    (here,) = claim(control, airflow_run="scheduled", airflow_base_url="https://a", batch_size=1)
    (there,) = claim(control, airflow_run="scheduled", airflow_base_url="https://b", batch_size=1)
    assert here.config_id != there.config_id
    assert claim(control, airflow_run="scheduled", airflow_base_url="https://a") == [here]


def test_two_claimers_with_32_threads_share_the_rows(control: Engine, control_url: str) -> None:
    shared_by_threads(control, control_url)


def test_threads_of_one_run_get_one_answer(control: Engine) -> None:
    for _ in range(30):
        due_row(control)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: claim(control, airflow_run="run"), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 10


@pytest.mark.parametrize(
    ("overrides", "field", "fix"),
    [
        ({"load_strategy": "upsert"}, "load_strategy", "use one of full"),
        ({"load_strategy": "incremental"}, "incremental_column", "name the column"),
        ({"db_config_key": None}, "db_config_key", "name a row of table_control_dbconfig"),
        ({"destination_table_catalog": " "}, "destination_table_catalog", "name the catalog"),
        ({"load_cron": "every day"}, "load_cron", "write five fields"),
        ({"load_cron": "0 3 * * *", "load_timezone": "Mars/Phobos"}, "load_timezone", "IANA"),
    ],
)
def test_a_row_that_cannot_be_loaded_fails_and_says_why(
    control: Engine, overrides: dict[str, str], field: str, fix: str
) -> None:
    bad = due_row(control, **overrides)
    good = due_row(control)
    refused, claimed = claim(control, airflow_run="run")
    assert (refused.config_id, refused.load_status) == (bad, "Failed")
    assert (claimed.config_id, claimed.load_status) == (good, "Queued")
    message = row(control, bad)["last_status_message"]
    assert message == refused.message
    assert f"config_id {bad} " in message
    assert f" {field}: " in message
    assert fix in message
    record = load(control, refused.metadata_id)
    assert record["failure"]["settled_by"] == "claim"
    assert record["failure"]["field"] == field
    assert record["failure"]["transient"] is False
    assert row(control, bad)["last_status"] == "Failed"
    assert record["lease_until"] is None


def test_refused_rows_take_nobody_s_place(control: Engine) -> None:
    for _ in range(25):
        due_row(control, load_strategy="upsert", priority=9)
    good = [due_row(control) for _ in range(12)]
    claimed = claim(control, airflow_run="run")
    queued = [load.config_id for load in claimed if load.load_status == "Queued"]
    assert queued == good[:10]
    assert len(claimed) == 35


def test_a_refused_row_waits_for_its_next_slot(control: Engine) -> None:
    with_cron = due_row(control, load_strategy="upsert", load_cron="0 0 1 1 *")
    without = due_row(control, load_strategy="upsert")
    bad_cron = due_row(control, load_cron="nonsense")
    claim(control, airflow_run="run")
    assert row(control, with_cron)["next_load_date_time"].month == 1
    assert row(control, without)["next_load_date_time"] is None
    assert sql(
        control,
        "SELECT next_load_date_time = 'infinity' FROM control.table_control WHERE config_id = :id",
        id=bad_cron,
    ) == [(True,)]
    assert claim(control, airflow_run="next") == []
    edit(control, bad_cron, load_cron="0 0 1 1 *")
    assert claim(control, airflow_run="after the edit") == []
    assert row(control, bad_cron)["next_load_date_time"].month == 1


def test_the_slot_moves_to_the_next_after_now(control: Engine) -> None:
    ids = [due_row(control, load_cron="*/5 * * * *"), due_row(control)]
    claim(control, airflow_run="run")
    (later,) = sql(
        control,
        "SELECT next_load_date_time - clock_timestamp() BETWEEN '0' AND '5 minutes' "
        "FROM control.table_control WHERE config_id = :id",
        id=ids[0],
    )
    assert later == (True,)
    assert row(control, ids[1])["next_load_date_time"] is None


def test_a_row_in_somebody_s_hands_is_left_and_another_taken(control: Engine) -> None:
    held, free = due_row(control, priority=1), due_row(control)
    with transaction(control) as connection:
        connection.exec_driver_sql(f"SELECT FROM control.table_control WHERE config_id = {held} FOR UPDATE")
        (claimed,) = claim(control, airflow_run="run", batch_size=1)
    assert claimed.config_id == free
    assert [load.config_id for load in claim(control, airflow_run="next")] == [held]


@pytest.mark.parametrize("scan", ["9999-12-31 23:59:59-05", "0044-03-15 BC", "infinity"])
def test_a_time_beyond_python_s_years_stops_no_claim(control: Engine, scan: str) -> None:
    odd = due_row(control, delete_policy="scan", delete_cron="0 3 * * *", primary_key_cols="id")
    healthy = due_row(control)
    slot = f"next_delete_scan = CAST('{scan}' AS timestamptz)"
    sql(control, f"UPDATE control.table_control SET {slot} WHERE config_id = {odd}")
    assert {load.config_id for load in claim(control, airflow_run="run")} == {odd, healthy}


def test_asked_rows_are_claimed_whatever_their_slot(control: Engine) -> None:
    rows = [add_row(control) for _ in range(3)]
    off = add_row(control, is_active=False)
    add_row(control)
    (first,) = claim(control, airflow_run="one", only=[rows[1], off], trigger=Trigger.MANUAL)
    assert first.config_id == rows[1]
    assert load(control, first.metadata_id)["trigger"] == "manual"
    rest = claim(control, airflow_run="rest", only=[*rows, off], trigger=Trigger.MANUAL)
    assert [load.config_id for load in rest] == [rows[0], rows[2]], "a live row is left out"
    assert claim(control, airflow_run="none", only=[]) == []


def test_asked_rows_that_cannot_be_loaded_are_told_once(control: Engine) -> None:
    bad = add_row(control, load_strategy="upsert")
    good = add_row(control)
    claimed = claim(control, airflow_run="run", only=[bad, good], batch_size=1)
    assert [(load.config_id, load.load_status) for load in claimed] == [(bad, "Failed"), (good, "Queued")]


@pytest.mark.parametrize(
    ("odd", "field"),
    [
        ({"connection_options": f'{{"a": {"7" * 5000}}}'}, "connection_options"),
        ({"connection_options": f'{{"a": {"7" * 400}.5}}'}, "connection_options"),
        ({"db_config_value": "[" * 2000 + "]" * 2000}, "db_config_value"),
    ],
    ids=["long integer", "large decimal", "deep nest"],
)
def test_a_source_that_cannot_be_read_fails_its_row_and_no_other(
    control: Engine, odd: dict[str, str], field: str
) -> None:
    add_source(control, "odd")
    ((column, value),) = odd.items()
    update = f"UPDATE control.table_control_dbconfig SET {column} = CAST(:value AS jsonb)"
    sql(control, f"{update} WHERE db_config_key = 'odd'", value=value)
    bad = due_row(control, db_config_key="odd", load_cron="0 3 1 1 *", priority=1)
    good = due_row(control)
    refused, claimed = claim(control, airflow_run="run")
    assert (refused.config_id, refused.load_status) == (bad, "Failed")
    assert f"cannot be loaded: {field}: holds a number that is too long" in str(refused.message)
    assert load(control, refused.metadata_id)["failure"]["field"] == field
    assert row(control, bad)["next_load_date_time"].month == 1
    assert (claimed.config_id, claimed.load_status) == (good, "Queued")
    assert claim(control, airflow_run="run") == [refused, claimed]


def test_a_key_that_cannot_be_read_fails_its_row_and_no_other(control: Engine) -> None:
    bad = due_row(control, primary_key_cols="k" * 140_000, priority=1)
    good = due_row(control)
    refused, claimed = claim(control, airflow_run="run")
    assert (refused.config_id, refused.load_status) == (bad, "Failed")
    assert "primary_key_cols: cannot be read" in str(refused.message)
    assert len(str(refused.message)) < 500
    assert (claimed.config_id, claimed.load_status) == (good, "Queued")


def test_a_row_whose_retries_are_beyond_counting_is_claimed(control: Engine) -> None:
    config_id = due_row(control, retry_count=2147483647)
    (claimed,) = claim(control, airflow_run="run")
    assert load(control, claimed.metadata_id)["attempt"] == 2147483647
    cancel(control, claimed.metadata_id, "enough")
    assert reset_for_retry(control, config_id, "again") is Reset.REVIEW


def test_each_claim_has_a_new_epoch(control: Engine) -> None:
    config_id = due_row(control)
    epochs = []
    for number in range(3):
        (claimed,) = claim(control, airflow_run=f"run-{number}", only=[config_id])
        epochs.append(claimed.epoch)
        cancel(control, claimed.metadata_id, "again")
    assert epochs == [1, 2, 3]


def test_a_row_that_a_person_set_free_is_claimed_over_its_load(control: Engine) -> None:
    config_id = due_row(control)
    (stuck,) = claim(control, airflow_run="run")
    repair(control, config_id, last_status=None)
    (claimed,) = claim(control, airflow_run="next", only=[config_id])
    assert claimed.epoch == stuck.epoch + 1


def test_a_role_with_rights_at_the_tables_alone_may_claim(control: Engine, postgres: Server) -> None:
    rows = {due_row(control), due_row(control, load_cron="0 3 * * *", next_load_date_time=None)}
    role = f"claims_{uuid4().hex}"
    names = sql(control, "SELECT tablename FROM pg_tables WHERE schemaname = 'control'")
    tables = ", ".join(f"control.{name}" for (name,) in names)
    sql(control, f"CREATE ROLE {role}")
    sql(control, f"GRANT USAGE ON SCHEMA control TO {role}")
    sql(control, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}")
    sql(control, f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA control TO {role}")
    assert control.url.database is not None
    theirs = create_engine(f"{postgres.url(control.url.database)}?options=-crole%3D{role}")
    try:
        assert sql(theirs, "SELECT current_user") == [(role,)]
        assert {load.config_id for load in claim(theirs, airflow_run="run", only=list(rows))} == rows
    finally:
        theirs.dispose()
        sql(control, f"DROP OWNED BY {role}")
        sql(control, f"DROP ROLE {role}")


def test_a_row_gets_its_name_in_messages(control: Engine) -> None:
    config_id = due_row(control, source_table_name="orders", destination_table_name="orders")
    (claimed,) = claim(control, airflow_run="run")
    assert claimed.label == f"config_id {config_id} (public.orders → bronze.shop.orders)"


def test_a_claim_takes_two_round_trips(control: Engine) -> None:
    due_row(control)
    before = round_trips(control)
    claim(control, airflow_run="run")
    assert round_trips(control) - before == 2


def test_a_history_ahead_of_its_row_stops_no_claim(control: Engine) -> None:
    ahead, other = due_row(control), due_row(control)
    first = {load.config_id: load.epoch for load in claim(control, airflow_run="run")}
    assert first == {ahead: 1, other: 1}
    for config_id in first:
        repair(control, config_id, last_status=None, next_load_date_time=LONG_AGO)
    sql(control, f"UPDATE control.historical_metadata SET epoch = 6 WHERE config_id = {ahead}")
    again = {load.config_id: load.epoch for load in claim(control, airflow_run="next")}
    assert again == {ahead: 7, other: 2}
    assert row(control, ahead)["load_epoch"] == 7


@pytest.mark.parametrize("slot", [LONG_AGO, None])
def test_a_row_that_the_database_refuses_to_queue_stops_no_other(
    control: Engine, caplog: pytest.LogCaptureFixture, slot: datetime | None
) -> None:
    refused = due_row(control, priority=1, owner="old", load_cron="0 3 * * *", next_load_date_time=slot)
    wrong, other = due_row(control, load_strategy="upsert"), due_row(control)
    sql(
        control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK (owner <> 'old') NOT VALID",
    )
    claimed = claim(control, airflow_run="run", batch_size=1)
    assert [(load.config_id, load.load_status) for load in claimed] == [(wrong, "Failed"), (other, "Queued")]
    assert f"config_id {refused} " in caplog.text
    assert "somebody_s_own" in caplog.text
    assert loads_of(control, refused) == []


@pytest.mark.parametrize("alone", [True, False])
def test_a_row_that_the_database_refuses_to_end_stops_no_other(
    control: Engine, caplog: pytest.LogCaptureFixture, alone: bool
) -> None:
    """A row that cannot be loaded is queued, and ended at once."""
    refused = due_row(control, load_strategy="upsert")
    others = [] if alone else [due_row(control, load_strategy="upsert", owner="anna"), due_row(control)]
    own = "CHECK (last_status IS DISTINCT FROM 'Failed' OR owner IS NOT NULL)"
    sql(control, f"ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own {own}")
    if alone:
        with pytest.raises(ConfigurationError, match=f"config_id {refused} .*somebody_s_own"):
            claim(control, airflow_run="run")
    else:
        claimed = {load.config_id: load.load_status for load in claim(control, airflow_run="run")}
        assert claimed == dict(zip(others, ("Failed", "Queued"), strict=True))
        assert f"config_id {refused} " in caplog.text
    assert loads_of(control, refused) == []
    assert row(control, refused)["last_status"] is None


def test_a_claim_of_nothing_but_a_refused_row_says_so_and_arms_others(control: Engine) -> None:
    refused = due_row(control, owner="old")
    new = due_row(control, load_cron="0 3 * * *", next_load_date_time=None)
    sql(
        control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK (owner <> 'old') NOT VALID",
    )
    with pytest.raises(ConfigurationError, match=f"config_id {refused} .*somebody_s_own"):
        claim(control, airflow_run="run")
    assert row(control, new)["next_load_date_time"] is not None


def refused_rows(control: Engine, slot: str, number: int) -> None:
    sql(
        control,
        "INSERT INTO control.table_control (db_config_key, owner, load_cron, next_load_date_time, is_active) "
        f"SELECT 'shop', 'old', '0 3 * * *', {slot}, true FROM generate_series(1, {number})",
    )


def test_many_refused_rows_hide_no_other(control: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_dataloader.control.claim._STEPPING_OVER", 600)
    monkeypatch.setattr("airflow_dataloader.control.arm._MOST_SECONDS", 600)
    refused_rows(control, "now()", 60)
    refused_rows(control, "NULL", 1_050)
    unarmed = due_row(control, load_cron="0 3 * * *", next_load_date_time=None)
    free = due_row(control)
    sql(
        control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK (owner <> 'old') NOT VALID",
    )
    assert [load.config_id for load in claim(control, airflow_run="run")] == [free]
    assert row(control, unarmed)["next_load_date_time"] is not None


def test_refused_rows_hold_a_claim_up_for_some_seconds_at_most(
    control: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_dataloader.control.claim._STEPPING_OVER", 0)
    monkeypatch.setattr("airflow_dataloader.control.arm._MOST_SECONDS", 0)
    refused_rows(control, "now()", 60)
    refused_rows(control, "NULL", 60)
    sql(
        control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK (owner <> 'old') NOT VALID",
    )
    with pytest.raises(RowRefused) as refused:
        claim(control, airflow_run="run")
    assert len(refused.value.others) < 20
