"""Rows that somebody keeps locked, in a session that is left open say, hide no others from a claim."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.due import Wanted, locked_by_others
from airflow_dataloader.control.transaction import transaction
from tests.factories import add_source
from tests.integration.control.drive import due_row, sql


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop", max_concurrent_loads=100)


def urgent_rows(control: Engine, number: int, source: str = "shop") -> None:
    """Add rows that come before all others."""
    sql(
        control,
        "INSERT INTO control.table_control (db_config_key, priority, next_load_date_time, is_active) "
        "SELECT :source, 1, now(), true FROM generate_series(1, :number)",
        source=source,
        number=number,
    )


@contextmanager
def locked(control: Engine) -> Iterator[None]:
    with control.connect() as session:
        session.exec_driver_sql("SELECT FROM control.table_control WHERE priority = 1 FOR UPDATE")
        yield
        session.rollback()


def test_the_last_place_is_filled_beside_many_locked_rows(control: Engine) -> None:
    urgent_rows(control, 300)
    free = [due_row(control) for _ in range(3)]
    with locked(control):
        (claimed,) = claim(control, airflow_run="run", max_concurrent=1)
    assert claimed.config_id == free[0]


def test_all_places_are_filled_beside_more(control: Engine) -> None:
    urgent_rows(control, 2000)
    free = [due_row(control) for _ in range(12)]
    looks: list[str] = []
    event.listen(control, "before_cursor_execute", lambda *told: looks.append(told[2]))
    with locked(control):
        looks.clear()
        claimed = claim(control, airflow_run="run")
    assert [load.config_id for load in claimed] == free[:10]
    assert sum("take_rows" in look for look in looks) <= 10


def test_rows_that_were_looked_past_are_not_kept_locked(control: Engine) -> None:
    urgent_rows(control, 3)
    free = due_row(control)
    wanted = Wanted(rows=1, max_concurrent=1, only=None)
    with locked(control), transaction(control) as connection:
        assert sorted(locked_by_others(connection, [1], wanted, handled=[1], at_most=9)) == [2, 3]
        assert sql(
            control, "SELECT config_id FROM control.table_control WHERE priority < 1 FOR UPDATE NOWAIT"
        ) == [(free,)]


def test_the_limits_of_sources_stay(control: Engine) -> None:
    add_source(control, "small", max_concurrent_loads=1)
    urgent_rows(control, 100, "small")
    first, _, other = (due_row(control, db_config_key=source) for source in ("small", "small", "shop"))
    with locked(control):
        claimed = claim(control, airflow_run="run")
    assert [load.config_id for load in claimed] == [other, first]


def test_rows_that_were_asked_for_are_found_beside_locked_ones(control: Engine) -> None:
    urgent_rows(control, 100)
    free, other = due_row(control, next_load_date_time=None), due_row(control)
    asked = [one for (one,) in sql(control, "SELECT config_id FROM control.table_control")]
    with locked(control):
        claimed = claim(control, airflow_run="run", only=[one for one in asked if one != other], batch_size=1)
    assert [load.config_id for load in claimed] == [free]


def test_rows_without_a_source_are_found_beside_locked_ones(control: Engine) -> None:
    urgent_rows(control, 100)
    nowhere = due_row(control, db_config_key=None)
    with locked(control):
        claimed = claim(control, airflow_run="run", batch_size=1)
    assert [(load.config_id, load.load_status) for load in claimed] == [(nowhere, "Failed")]


def test_a_claim_that_gives_up_says_how_many_rows_are_locked(
    control: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("airflow_dataloader.control.claim._LOOKS_IN_VAIN", 3)
    urgent_rows(control, 300)
    free = due_row(control)
    with locked(control):
        assert claim(control, airflow_run="run", batch_size=1) == []
    # Three looks at one row each, and one at four beside them.
    assert "7 rows that are due are locked by other sessions" in caplog.text
    caplog.clear()
    assert len(claim(control, airflow_run="next", only=[free])) == 1
    assert "locked" not in caplog.text
