"""Pruning keeps what somebody may need, whatever its age, and removes the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Row, insert, text

from airflow_dataloader.control import prune as module
from airflow_dataloader.control.prune import Pruned, Retention, prune
from airflow_dataloader.control.tables import backfill, historical_metadata, load_chunk
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source

#: Keeps nothing for its age or its place but the newest.
STRICT = Retention(loads_days=1, loads_per_row=1)
SETTLED = {"settled_by": "loader"}


@pytest.fixture
def row(control: Engine) -> int:
    add_source(control)
    return add_row(control)


_epochs = iter(range(1, 1_000_000))


def load(
    control: Engine, config_id: int | None, status: str = "Failed", *, days: float = 100, **columns: Any
) -> int:
    """Record a load that ended ``days`` ago: settled by its own loader and certain, unless columns differ."""
    values = {
        "control_key": b"x",
        "config_id": config_id,
        "epoch": next(_epochs) if config_id is not None else None,
        "load_status": status,
        "start_nonce": "n",
        "failure": SETTLED if status == "Failed" else None,
        "target_catalog": "bronze",
        "target_schema": "shop",
        "target_table": f"table_{config_id}",
    }
    statement = insert(historical_metadata).values(values | columns).returning(historical_metadata.c.id)
    with transaction(control) as connection:
        number = int(connection.execute(statement).scalar_one())
        connection.execute(
            text(
                "UPDATE control.historical_metadata SET load_end_time = now() - make_interval(secs => :secs)"
                " WHERE id = :id"
            ),
            {"secs": days * 86_400, "id": number},
        )
    return number


def left(control: Engine) -> list[int]:
    with transaction(control) as connection:
        return list(
            connection.execute(text("SELECT id FROM control.historical_metadata ORDER BY id")).scalars()
        )


def test_days_and_number_both_keep(control: Engine, row: int) -> None:
    loads = [load(control, row, days=days) for days in (200, 100, 60, 50, 5)]
    assert prune(control, Retention(loads_days=55, loads_per_row=3)) == Pruned(loads=2, edits=0)
    assert left(control) == loads[2:]


def test_each_row_counts_for_itself(control: Engine, row: int) -> None:
    other = add_row(control)
    first = [load(control, row) for _ in range(3)]
    second = [load(control, other)]
    prune(control, STRICT)
    assert left(control) == [first[-1], *second]


def test_the_newest_stays_for_ever(control: Engine, row: int) -> None:
    only = load(control, row, days=10_000)
    prune(control, STRICT)
    assert left(control) == [only]


@pytest.mark.parametrize("status", ["Queued", "In Progress"])
def test_a_load_that_lives_stays(control: Engine, row: int, status: str) -> None:
    living = load(control, row, status)
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [living, newest]


def test_the_newest_success_with_a_receipt_stays(control: Engine, row: int) -> None:
    load(control, row, "Succeeded", receipt={"rows_read": 1})
    compared = load(control, row, "Succeeded", receipt={"rows_read": 2})
    load(control, row, "Succeeded")
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [compared, newest]


def test_the_newest_publication_stays_and_what_came_before_goes(control: Engine, row: int) -> None:
    load(control, row, failure={"settled_by": "reap"})
    load(control, row, target_version=1)
    published = load(control, row, target_version=2)
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [published, newest]


def test_a_publication_elsewhere_releases_nothing(control: Engine, row: int) -> None:
    owed = load(control, row, failure={"settled_by": "reap"})
    elsewhere = load(control, row, target_version=1, target_table="elsewhere")
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [owed, elsewhere, newest]


def test_what_a_row_published_last_stays_behind_a_later_fence(control: Engine, row: int) -> None:
    load(control, row, "Succeeded", target_version=6)
    published = load(control, row, "Succeeded", target_version=7)
    fence = load(control, row, receipt={"fence_version": 8})
    adopting = load(control, row, "Succeeded", target_version=9, receipt={"committed_by": fence})
    prune(control, STRICT)
    assert left(control) == [published, adopting]


def test_a_fence_counts_as_a_publication(control: Engine, row: int) -> None:
    load(control, row, failure={"settled_by": "reap"})
    fence = load(control, row, receipt={"fence_version": 7})
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [fence, newest]


@pytest.mark.parametrize(
    "columns",
    [
        {"failure": {"settled_by": "reap"}},
        {"failure": {"settled_by": "cancel"}, "load_status": "Cancelled"},
        {"failure": {"settled_by": "loader", "outcome_unknown": True}},
        {"failure": None},
    ],
)
def test_a_load_whose_writes_may_have_landed_stays(
    control: Engine, row: int, columns: dict[str, Any]
) -> None:
    uncertain = load(control, row, **columns)
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [uncertain, newest]


def test_a_load_that_never_started_wrote_nothing(control: Engine, row: int) -> None:
    load(control, row, start_nonce=None, failure={"settled_by": "reap"})
    newest = load(control, row)
    prune(control, STRICT)
    assert left(control) == [newest]


@pytest.mark.parametrize(("status", "stay"), [("open", True), ("done", False)])
def test_what_an_open_backfill_was_made_of_stays(control: Engine, row: int, status: str, stay: bool) -> None:
    planner, worker, newest = (load(control, row) for _ in range(3))
    plan = {"config_id": row, "status": status, "mode": "direct", "content_hash": "x", "started_by": planner}
    with transaction(control) as connection:
        number = connection.execute(insert(backfill).values(plan).returning(backfill.c.id)).scalar_one()
        connection.execute(insert(load_chunk).values(backfill_id=number, number=1, metadata_id=worker))
    prune(control, STRICT)
    assert left(control) == ([planner, worker, newest] if stay else [newest])


def test_loads_of_a_deleted_row_go_by_age_alone(control: Engine, row: int) -> None:
    load(control, row, failure={"settled_by": "reap"})
    young = load(control, row, days=0.5)
    with transaction(control) as connection:
        connection.execute(text("DELETE FROM control.table_control"))
    prune(control, STRICT)
    assert left(control) == [young]


def test_a_deleted_row_that_is_put_back_goes_on_from_its_highest_epoch(control: Engine, row: int) -> None:
    last = [load(control, row) for _ in range(3)][-1]
    with transaction(control) as connection:
        connection.execute(text("UPDATE control.table_control SET load_epoch = 5000000"))
        highest = load(control, row, epoch=5_000_000)
        connection.execute(text("DELETE FROM control.table_control"))
    assert last < highest
    prune(control, STRICT)
    assert left(control) == [highest]
    with transaction(control) as connection:
        connection.execute(text("INSERT INTO control.table_control (config_id) VALUES (:id)"), {"id": row})
        put_back = text("SELECT load_epoch FROM control.table_control")
        assert connection.execute(put_back).scalar_one() == 5_000_000


def test_records_of_a_clock_that_was_ahead_keep_no_older_ones(
    control: Engine, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STEP", 3)
    ahead = [load(control, row, days=-400) for _ in range(4)]
    for _ in range(4):
        load(control, row)
    newest = load(control, row)
    assert prune(control, STRICT).loads == 4
    assert left(control) == [*ahead, newest]


def test_edits_without_a_row_belong_to_their_key(control: Engine) -> None:
    statement = text(
        "INSERT INTO control.table_control_history (control_key, change_type, changed_at) "
        "SELECT key, 'UPDATE', now() - interval '9 years' FROM unnest(ARRAY['a', 'b', 'a']::bytea[]) key"
    )
    with transaction(control) as connection:
        connection.execute(statement)
    assert prune(control, Retention(edits_days=30)).edits == 1


def test_old_records_without_a_row_belong_to_their_key(control: Engine, row: int) -> None:
    load(control, None, "In Progress", control_key=b"a", start_nonce=None)
    newest = load(control, None, "Succeeded", control_key=b"a", start_nonce=None)
    other = load(control, None, "Succeeded", control_key=b"b", start_nonce=None)
    prune(control, STRICT)
    assert left(control) == [newest, other]


def test_it_goes_through_more_than_one_step(
    control: Engine, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STEP", 3)
    kept = load(control, row, target_version=1)
    for _ in range(10):
        load(control, row)
    newest = load(control, row)
    assert prune(control, STRICT).loads == 10
    assert left(control) == [kept, newest]
    assert prune(control, STRICT).loads == 0


def test_edits_stay_unless_asked_and_the_newest_of_each_row_always(control: Engine, row: int) -> None:
    with transaction(control) as connection:
        for priority in (1, 2):
            connection.execute(text("UPDATE control.table_control SET priority = :p"), {"p": priority})
        connection.execute(
            text("UPDATE control.table_control_history SET changed_at = now() - interval '1 year'")
        )
        connection.execute(text("UPDATE control.table_control SET priority = 3"))
        connection.execute(text("DELETE FROM control.table_control"))
        connection.execute(
            text(
                "UPDATE control.table_control_history SET changed_at = now() - interval '2 years'"
                " WHERE change_type = 'DELETE'"
            )
        )
    assert prune(control).edits == 0
    assert prune(control, Retention(edits_days=30)).edits == 3
    with transaction(control) as connection:
        query = text("SELECT change_type FROM control.table_control_history ORDER BY history_id")
        kinds = connection.execute(query)
        assert list(kinds.scalars()) == ["UPDATE", "DELETE"]


@pytest.mark.parametrize("name", ["loads_days", "loads_per_row", "edits_days"])
def test_a_retention_keeps_something(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Retention(**{name: 0})
    assert caught.value.field == name


@pytest.mark.parametrize("name", ["loads_days", "loads_per_row", "edits_days"])
def test_a_retention_is_one_that_the_database_can_count_with(control: Engine, row: int, name: str) -> None:
    load(control, row)
    most = {"loads_days": 365_000, "loads_per_row": 1_000_000_000, "edits_days": 365_000}[name]
    assert prune(control, Retention(**{name: most})).loads == 0
    with pytest.raises(ConfigurationError, match=f"{most:,}") as caught:
        Retention(**{name: most + 1})
    assert caught.value.field == name


outcomes = st.fixed_dictionaries(
    {},
    optional={
        "load_status": st.sampled_from(["Failed", "Cancelled", "Succeeded"]),
        "start_nonce": st.sampled_from([None, "n"]),
        "target_version": st.sampled_from([None, 5]),
        "receipt": st.sampled_from([None, {"rows_read": 1}, {"fence_version": 3}, {"committed_by": 2}]),
        "failure": st.sampled_from(
            [None, SETTLED, {"settled_by": "reap"}, {"settled_by": "loader", "outcome_unknown": True}]
        ),
    },
)


def needed_by_the_next_load(rows: list[Row[Any]]) -> dict[str, Any]:
    """Say what a start would read of the loads before it; ``rows`` are one row's, oldest first."""

    def paid(one: Row[Any]) -> bool:
        return one.target_version is not None or "fence_version" in (one.receipt or {})

    def uncertain(one: Row[Any]) -> bool:
        failure = one.failure or {}
        known = failure.get("settled_by") == "loader" and not failure.get("outcome_unknown")
        return one.start_nonce is not None and one.load_status != "Succeeded" and not known

    since = max((one.id for one in rows if paid(one)), default=0)
    published = [
        one.epoch for one in rows if one.target_version and "committed_by" not in (one.receipt or {})
    ]
    succeeded = [one.id for one in rows if one.load_status == "Succeeded" and one.receipt is not None]
    return {
        "paid": since,
        "uncertain": [one.id for one in rows if one.id >= since and uncertain(one)],
        "last_receipt": succeeded[-1:],
        "published_epoch": published[-1:],
        "newest": rows[-1].id,
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(outcomes, min_size=1, max_size=8), per_row=st.integers(1, 3))
def test_the_next_load_never_misses_what_was_pruned(
    control: Engine, row: int, history: list[dict[str, Any]], per_row: int
) -> None:
    def loads() -> list[Row[Any]]:
        with transaction(control) as connection:
            return list(connection.execute(historical_metadata.select().order_by(historical_metadata.c.id)))

    with transaction(control) as connection:
        connection.execute(text("TRUNCATE control.historical_metadata"))
    for columns in history:
        load(control, row, **json.loads(json.dumps(columns)))
    before = needed_by_the_next_load(loads())
    prune(control, Retention(loads_days=1, loads_per_row=per_row))
    assert needed_by_the_next_load(loads()) == before
