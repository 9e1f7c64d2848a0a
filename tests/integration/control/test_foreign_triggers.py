"""Triggers of somebody's own on table_control: what they do to one row stops no other."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from airflow_dataloader.control import settle
from airflow_dataloader.control.claim import claim, insert_initial_metadata
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.control.transaction import round_trips
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.exceptions import ConfigurationError, NotMigrated, RowRefused
from tests.factories import add_source
from tests.integration.control.drive import (
    ago,
    claim_now,
    due_row,
    edited,
    load,
    loads_of,
    row,
    sql,
    start_now,
)

RAISES = "RAISE EXCEPTION 'tables of team X are frozen'; RETURN NEW;"
SAYS_NOTHING = "RETURN NULL;"
USES_WHAT_IS_MISSING = "INSERT INTO audit VALUES (NEW.config_id); RETURN NEW;"

#: Ordinary mistakes in a trigger, each of another kind to PostgreSQL: 22012, 22P02, 21000, 42501, 54001; and
#: what one says that cannot reach another server, or a file.
MISTAKES = [
    "NEW.max_runtime_minutes := 1 / 0; RETURN NEW;",
    "NEW.max_runtime_minutes := NEW.owner::integer; RETURN NEW;",
    "NEW.owner := (SELECT unnest(ARRAY['a', 'b'])); RETURN NEW;",
    "RAISE insufficient_privilege USING MESSAGE = 'permission denied for table audit'; RETURN NEW;",
    "UPDATE control.table_control SET owner = owner WHERE config_id = NEW.config_id; RETURN NEW;",
    "RAISE SQLSTATE '08001' USING MESSAGE = 'could not connect to server audit'; RETURN NEW;",
    "RAISE SQLSTATE '58P01' USING MESSAGE = 'could not open file'; RETURN NEW;",
]


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop", max_concurrent_loads=100)


def frozen(control: Engine, body: str) -> None:
    """Have a trigger do that to every change of what team X owns."""
    sql(control, f"CREATE FUNCTION frozen_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    sql(
        control,
        "CREATE TRIGGER frozen BEFORE UPDATE ON control.table_control FOR EACH ROW "
        "WHEN (OLD.owner = 'x') EXECUTE FUNCTION frozen_row()",
    )


def normalised(control: Engine) -> None:
    """Have a trigger, named as people name them, write tables' names and priorities its own way."""
    sql(
        control,
        """
        CREATE FUNCTION normalised() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.destination_table_name := replace(NEW.destination_table_name, '-', '_');
            NEW.priority := CASE WHEN NEW.owner = 'x' THEN 9 ELSE NEW.priority END;
            RETURN NEW;
        END $$""",
    )
    sql(
        control,
        "CREATE TRIGGER trg_normalise BEFORE INSERT OR UPDATE ON control.table_control "
        "FOR EACH ROW EXECUTE FUNCTION normalised()",
    )


def test_a_destination_that_a_trigger_writes_is_one_row_s_too(control: Engine) -> None:
    normalised(control)
    first = due_row(control, destination_table_name="or-ders")
    assert row(control, first)["resolved_destination"] == "`bronze`.`shop`.`or_ders`"
    with pytest.raises(IntegrityError, match=f"active config_id {first} .* already loads"):
        due_row(control, destination_table_name="or_ders")
    other = due_row(control, destination_table_name="others")
    with pytest.raises(ConfigurationError, match=f"active config_id {first} .* already loads"):
        edited(control, other, destination_table_name="or-ders")


def test_an_edit_that_a_trigger_makes_is_recorded(control: Engine) -> None:
    edited_by_it = due_row(control, priority=1)
    normalised(control)
    edited(control, edited_by_it, owner="x")
    assert (row(control, edited_by_it)["priority"], row(control, edited_by_it)["row_version"]) == (9, 2)
    recorded = sql(control, "SELECT changed_fields FROM control.table_control_history ORDER BY history_id")
    assert sorted(recorded[-1][0]) == ["owner", "priority"]


def test_a_time_that_a_trigger_notes_is_an_edit_of_nobody_s(control: Engine) -> None:
    config_id = due_row(control)
    sql(
        control,
        "ALTER TABLE control.table_control ADD COLUMN touched timestamptz, ADD COLUMN cost_centre text",
    )
    sql(
        control,
        """
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.touched := clock_timestamp(); RETURN NEW; END $$""",
    )
    sql(
        control,
        "CREATE TRIGGER trg_touch BEFORE UPDATE ON control.table_control "
        "FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    before = row(control, config_id)
    started = start_now(control, config_id)
    update_run_tracking(control, started.metadata_id, started.epoch, databricks_run="7")
    settle.succeed(control, started, receipt=Receipt(), watermark="5")
    after = row(control, config_id)
    assert after["touched"] is not None
    assert [after[name] for name in ("row_version", "last_modified_at")] == [1, before["last_modified_at"]]
    edited(control, config_id, cost_centre="42")
    assert row(control, config_id)["row_version"] == 2
    recorded = sql(
        control, "SELECT changed_fields FROM control.table_control_history WHERE change_type = 'UPDATE'"
    )
    assert [sorted(fields) for (fields,) in recorded] == [["cost_centre", "touched"]]


@pytest.mark.parametrize("body", [RAISES, SAYS_NOTHING, USES_WHAT_IS_MISSING, *MISTAKES])
def test_a_row_that_a_trigger_refuses_is_left_out_of_a_claim(
    control: Engine, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    refused, other = due_row(control, owner="x", priority=1), due_row(control)
    frozen(control, body)
    assert [load.config_id for load in claim(control, airflow_run="run")] == [other]
    assert f"Left out: config_id {refused} " in caplog.text
    assert loads_of(control, refused) == []
    assert row(control, refused)["last_status"] is None


@pytest.mark.parametrize("body", [RAISES, SAYS_NOTHING, USES_WHAT_IS_MISSING])
def test_a_row_that_a_trigger_refuses_takes_nobody_s_place(control: Engine, body: str) -> None:
    for _ in range(3):
        due_row(control, owner="x", priority=1)
    other = due_row(control)
    frozen(control, body)
    assert [load.config_id for load in claim(control, airflow_run="run", batch_size=2)] == [other]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (RAISES, "the control database refused: tables of team X are frozen."),
        (SAYS_NOTHING, "the control database left it out and did not say why."),
        (USES_WHAT_IS_MISSING, 'the control database refused: relation "audit" does not exist'),
    ],
)
def test_a_claim_of_nothing_but_refused_rows_says_so(control: Engine, body: str, said: str) -> None:
    refused = due_row(control, owner="x")
    new = due_row(control, load_cron="0 3 * * *", next_load_date_time=None)
    frozen(control, body)
    with pytest.raises(RowRefused) as error:
        claim(control, airflow_run="run")
    assert f"config_id {refused} " in error.value.message
    assert said in error.value.message
    assert row(control, new)["next_load_date_time"] is not None


@pytest.mark.parametrize("body", [RAISES, SAYS_NOTHING])
def test_a_row_that_is_queued_alone_says_what_refuses_it(control: Engine, body: str) -> None:
    refused = due_row(control, owner="x")
    frozen(control, body)
    with pytest.raises(ConfigurationError, match=r"frozen\.|config_id .* did not say why\."):
        insert_initial_metadata(control, refused, airflow_run="run")
    assert loads_of(control, refused) == []


def test_a_row_that_is_left_out_beside_one_that_cannot_be_loaded_is_said(
    control: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    refused = due_row(control, owner="x", priority=1)
    wrong, other = due_row(control, load_strategy="upsert"), due_row(control)
    frozen(control, SAYS_NOTHING)
    claimed = [(load.config_id, load.load_status) for load in claim(control, airflow_run="run")]
    assert claimed == [(wrong, "Failed"), (other, "Queued")]
    assert f"Left out: config_id {refused} " in caplog.text


def test_a_row_that_is_left_out_costs_no_round_trip(control: Engine) -> None:
    due_row(control, owner="x"), due_row(control)
    frozen(control, SAYS_NOTHING)
    before = round_trips(control)
    assert len(claim(control, airflow_run="run")) == 1
    assert round_trips(control) - before == 2


def test_a_trigger_that_raises_keeps_no_row_from_its_slot(
    control: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    refused, other = (
        due_row(control, owner=owner, load_cron="0 3 * * *", next_load_date_time=None) for owner in ("x", "y")
    )
    frozen(control, RAISES)
    assert claim(control, airflow_run="run") == []
    assert row(control, refused)["next_load_date_time"] is None
    assert row(control, other)["next_load_date_time"] is not None
    assert f"config_id {refused} cannot be written" in caplog.text


@pytest.mark.parametrize("body", [RAISES, USES_WHAT_IS_MISSING, *MISTAKES])
def test_a_trigger_that_raises_keeps_no_other_load_from_its_end(control: Engine, body: str) -> None:
    refused, other = (claim_now(control, due_row(control, owner=owner)).metadata_id for owner in ("x", "y"))
    for metadata_id in (refused, other):
        ago(control, metadata_id, lease_until=1)
    frozen(control, body)
    reaping = reap(control, run_api=None, limits=ReapLimits(startup=0))
    assert [one.metadata_id for one in reaping.ended] == [other]
    assert [one.metadata_id for one in reaping.left] == [refused]
    assert "The control database refused: " in reaping.left[0].why
    assert load(control, refused)["load_status"] == "Queued"


def test_a_constraint_that_is_asked_at_the_end_alone_keeps_no_other_row_from_a_claim(
    control: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    refused, other = due_row(control, owner="x", priority=1), due_row(control)
    new = due_row(control, load_cron="0 3 * * *", next_load_date_time=None)
    sql(control, f"CREATE FUNCTION frozen_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {RAISES} END $$")
    sql(
        control,
        "CREATE CONSTRAINT TRIGGER frozen AFTER UPDATE ON control.table_control "
        "DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (OLD.owner = 'x') EXECUTE FUNCTION frozen_row()",
    )
    assert [load.config_id for load in claim(control, airflow_run="run")] == [other]
    assert f"Left out: config_id {refused} " in caplog.text
    assert row(control, new)["next_load_date_time"] is not None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (USES_WHAT_IS_MISSING, 'relation "audit" does not exist'),
        ("PERFORM audited(NEW.config_id); RETURN NEW;", "function audited(bigint) does not exist"),
        ("PERFORM audit.row(NEW.config_id); RETURN NEW;", 'schema "audit" does not exist'),
        ("NEW.team := 'x'; RETURN NEW;", 'record "new" has no field "team"'),
        ("INSERT INTO control.audit VALUES (1); RETURN NEW;", 'relation "control.audit" does not exist'),
    ],
)
def test_what_a_trigger_misses_is_not_this_package_s(control: Engine, body: str, said: str) -> None:
    config_id = due_row(control, owner="x")
    frozen(control, body)
    with pytest.raises(ConfigurationError) as error:
        edited(control, config_id, priority=1)
    assert not isinstance(error.value, NotMigrated)
    assert error.value.message.startswith(
        f"The control database refused: {said} (PL/pgSQL function frozen_row()"
    )
    assert "migrate" not in str(error.value)


@pytest.mark.parametrize("statement", ["DROP TABLE control.load_chunk", "DROP FUNCTION control.given(text)"])
def test_what_is_missing_of_this_package_s_own_is_said_to_be(control: Engine, statement: str) -> None:
    config_id = due_row(control, owner="x")
    frozen(control, "PERFORM control.given((SELECT low FROM control.load_chunk)); RETURN NEW;")
    sql(control, f"{statement} CASCADE")
    with pytest.raises(NotMigrated, match="missing or old"):
        edited(control, config_id, priority=1)


@pytest.mark.parametrize("column", ["priority", "load_cron", "retry_count"])
def test_a_column_that_is_missing_of_this_package_s_own_is_said_to_be(control: Engine, column: str) -> None:
    due_row(control, owner="x")
    frozen(control, "RETURN NEW;")
    sql(control, f"ALTER TABLE control.table_control DROP COLUMN {column} CASCADE")
    with pytest.raises(NotMigrated, match="missing or old"):
        claim(control, airflow_run="run")
