"""Claims, loads and settles in one process."""

from __future__ import annotations

from typing import cast

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control import lease
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.selector import Selector, parse
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import ConfigurationError, EngineFailed
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.protocol import Engine as EngineSession
from airflow_dataloader.loader.local import Loaded, load_locally
from airflow_dataloader.loader.secrets import SecretChain
from tests.bench import Bench
from tests.factories import add_row, add_source
from tests.integration.control.drive import due_row, sql


def fill(bench: Bench, *tables: str) -> None:
    for table in tables:
        bench.source.execute(f"CREATE TABLE {table} AS SELECT 1 AS id")


def test_selected_rows_are_loaded_whatever_their_slot(bench: Bench) -> None:
    fill(bench, "a", "b")
    chosen, other = bench.row("a", load_cron="0 0 1 1 *"), bench.row("b")
    told: list[Loaded] = []
    ended = load_locally(bench.control, lambda: bench.context, selector=parse("name:a"), report=told.append)
    assert [load.config_id for load in ended] == [chosen]
    assert ended == told
    assert bench.state(chosen).last_status == "Succeeded"
    assert bench.state(other).last_status is None


def test_without_a_selector_what_is_due_is_loaded_and_no_more(bench: Bench) -> None:
    fill(bench, "a", "b")
    due, not_due = bench.row("a"), bench.row("b", load_cron="0 0 1 1 *")
    bench.set(due, next_load_date_time="2020-01-01 00:00:00+00")
    assert [load.config_id for load in load_locally(bench.control, lambda: bench.context, selector=None)] == [
        due
    ]
    assert bench.state(not_due).last_status is None
    assert load_locally(bench.control, lambda: bench.context, selector=None) == []


def test_a_row_that_is_due_again_and_again_is_loaded_once_and_keeps_no_other_from_its_turn(
    control: Engine,
) -> None:
    add_source(control)
    slow, low = due_row(control, priority=9), due_row(control)
    told: list[int] = []

    def pass_time(ended: Loaded) -> None:
        told.append(ended.config_id)
        assert len(told) < 9, "it goes on for ever"
        sql(control, f"UPDATE control.table_control SET next_load_date_time = now() WHERE config_id = {slow}")

    # Its loads fail at the login that nobody has stored.
    context = LoaderContext(control=control, engine=cast("EngineSession", None), secrets=SecretChain())
    load_locally(control, lambda: context, selector=None, report=pass_time)
    assert told == [slow, low]


def test_a_failed_table_never_stops_the_next(bench: Bench) -> None:
    fill(bench, "b")
    bench.row("gone", priority=9)
    bench.row("b")
    bench.row("c", load_strategy="sideways")
    ended = {
        load.label: load
        for load in load_locally(bench.control, lambda: bench.context, selector=parse("source:shop"))
    }
    assert sorted(load.status or "" for load in ended.values()) == ["Failed", "Failed", "Succeeded"]
    (unknown,) = (load for load in ended.values() if "sideways" in load.message)
    assert "load_strategy" in unknown.message


#: Somebody's own, written without looking at the rows that are there.
SOMEBODY_S_OWN = (
    "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK (owner <> 'old') NOT VALID"
)


@pytest.mark.parametrize("selector", [None, parse("source:shop")])
def test_rows_that_the_database_refuses_to_queue_stop_no_other(
    control: Engine, selector: Selector | None
) -> None:
    add_source(control)
    first = due_row(control, priority=9, owner="old")
    # The claim itself settles it.
    other = due_row(control, load_strategy="sideways")
    last = due_row(control, priority=-9, owner="old")
    sql(control, SOMEBODY_S_OWN)
    told: list[Loaded] = []
    ended = load_locally(control, refuse_to_open, selector=selector, report=told.append)
    assert ended == told
    by_row = {load.config_id: load for load in ended}
    assert set(by_row) == {first, other, last}
    assert by_row[other].status == "Failed"
    for refused in (by_row[first], by_row[last]):
        assert (refused.status, refused.claimed, refused.refused) == (None, False, True)
        assert f"config_id {refused.config_id} (public." in refused.label
        assert refused.message.startswith(f"{refused.label} cannot be written")
        assert "somebody_s_own" in refused.message


def test_a_row_that_another_load_holds_is_named_and_left_alone(bench: Bench) -> None:
    fill(bench, "a")
    row = bench.row("a")
    held = bench.claim(row).metadata_id
    (ended,) = load_locally(bench.control, lambda: bench.context, selector=parse("name:a"))
    assert ended.status is None
    assert f"Not claimed: config_id {row} is Queued and held by load {held} of " in ended.message
    assert ended.message.endswith(" Fix: wait for its end.")
    assert bench.history(row)[-1].load_status == LoadStatus.QUEUED


@pytest.mark.parametrize(("minutes", "status"), [(90, "In Progress"), (30, "Failed")])
def test_loads_that_see_no_progress_are_given_up_by_the_limits_that_are_asked_for(
    bench: Bench, minutes: int, status: str
) -> None:
    row = bench.row("a")
    ids = bench.claim(row)
    lease.start(bench.control, ids.metadata_id, ids.epoch, nonce="n", lease_seconds=7200)
    an_hour_ago = text("UPDATE control.historical_metadata SET progress_at = now() - interval '1 hour'")
    with bench.control.begin() as connection:
        connection.execute(an_hour_ago)
    limits = ReapLimits(startup=0, progress=60 * minutes)
    assert load_locally(bench.control, refuse_to_open, selector=None, limits=limits) == []
    assert bench.state(row).last_status == status


def test_a_selector_that_matches_nothing_says_so(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="No active row matches name:nothing"):
        load_locally(bench.control, lambda: bench.context, selector=parse("name:nothing"))


def test_inactive_rows_are_named_where_nothing_else_matches(bench: Bench) -> None:
    for number in range(5):
        bench.row(f"old_{number}", is_active=False)
    with pytest.raises(
        ConfigurationError, match=r"inactive: config_id \d+ \(public.old_0.* and 2 more"
    ) as caught:
        load_locally(bench.control, lambda: bench.context, selector=parse("name:old*"))
    assert caught.value.fix == "set is_active to true on the rows that are meant"


def refuse_to_open() -> LoaderContext:
    raise EngineFailed("No Spark here.")


def test_where_nothing_is_due_no_worker_is_opened(bench: Bench) -> None:
    bench.row("a", load_cron="0 0 1 1 *")
    assert load_locally(bench.control, refuse_to_open, selector=None) == []


def test_a_worker_that_cannot_be_opened_leaves_no_row_waiting(bench: Bench) -> None:
    row = bench.row("a")
    with pytest.raises(EngineFailed):
        load_locally(bench.control, refuse_to_open, selector=parse("name:a"))
    state, (load,) = bench.state(row), bench.history(row)
    assert (state.last_status, load.load_status) == ("Failed", "Failed")
    assert "No Spark here." in state.last_status_message


def test_what_keeps_a_worker_from_being_opened_is_told_without_secrets(
    control: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://localhost:1/;token=c4nary%3D")

    def quotes() -> LoaderContext:
        raise ValueError("invalid literal: 'c4nary='")

    add_source(control)
    add_row(control)
    with pytest.raises(ValueError, match="invalid literal"):
        load_locally(control, quotes, selector=parse("source:shop"))
    with control.connect() as connection:
        (row,) = connection.execute(text("SELECT to_jsonb(t)::text FROM control.table_control AS t"))
        (load,) = connection.execute(text("SELECT to_jsonb(h)::text FROM control.historical_metadata AS h"))
    assert "Nothing here can load: invalid literal: '***'" in row[0]
    assert "c4nary" not in row[0] + load[0]


def test_an_interrupt_before_the_load_begins_leaves_no_row_waiting(bench: Bench) -> None:
    def interrupted() -> LoaderContext:
        raise KeyboardInterrupt

    row = bench.row("a")
    with pytest.raises(KeyboardInterrupt):
        load_locally(bench.control, interrupted, selector=parse("name:a"))
    assert (bench.state(row).last_status, bench.history(row)[0].load_status) == ("Failed", "Cancelled")
