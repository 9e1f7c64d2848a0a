"""Rounds of loads: each table once, one that fails a few times."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from airflow_dataloader.exceptions import TransientError
from airflow_dataloader.workspace.demo import loading
from airflow_dataloader.workspace.demo.loading import MOST_TRIES
from tests.integration.workspace.demo.conftest import SmallDemo


def history(demo: SmallDemo) -> list[tuple[str, str]]:
    query = text("SELECT target_table, load_status FROM control.historical_metadata ORDER BY id")
    with demo.bench.control.connect() as connection:
        return [(table, status) for table, status in connection.execute(query)]


def test_every_table_is_loaded_once_a_round(small_demo: SmallDemo) -> None:
    for _ in range(2):
        loads = small_demo.loading.load()
        assert [load.target.partition(".")[2] for load in loads] == ["small", "grows"]
        assert all(load.succeeded for load in loads)
    assert len(history(small_demo)) == 4
    assert sum("small: 9 rows in" in line for line in small_demo.told.lines) == 2


def test_a_load_that_fails_is_tried_again_and_another_one_is_not(small_demo: SmallDemo) -> None:
    small_demo.bench.source.execute("ALTER TABLE small RENAME TO away")
    moments = iter(["", "ALTER TABLE away RENAME TO small"])

    def mend() -> None:
        small_demo.bench.source.execute((next(moments, "") or "SELECT").encode())

    small_demo.before = mend
    loads = small_demo.loading.load()
    assert all(load.succeeded for load in loads)
    assert sorted(history(small_demo)) == [
        ("grows", "Succeeded"),
        ("small", "Failed"),
        ("small", "Succeeded"),
    ]


def test_a_load_whose_end_a_database_forgot_is_tried_again(small_demo: SmallDemo) -> None:
    small_demo.bench.source.execute("ALTER TABLE small RENAME TO away")
    times = iter(range(9))

    def forget() -> None:
        if next(times) != 1:
            return
        small_demo.bench.source.execute("ALTER TABLE away RENAME TO small")
        with small_demo.bench.control.begin() as connection:
            # No move that the triggers allow: the database came back from before the load's end.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for table, status, name in (
                ("historical_metadata", "load_status", "target_table"),
                ("table_control", "last_status", "destination_table_name"),
            ):
                connection.execute(
                    text(f"UPDATE control.{table} SET {status} = 'Failed' WHERE {name} = 'grows'")
                )

    small_demo.before = forget
    loads = small_demo.loading.load()
    assert all(load.succeeded for load in loads)
    assert history(small_demo).count(("grows", "Failed")) == 1


def test_one_that_keeps_failing_is_left_at_that(small_demo: SmallDemo) -> None:
    small_demo.bench.source.execute("DROP TABLE small")
    failed, succeeded = small_demo.loading.load()
    assert (failed.succeeded, succeeded.succeeded) == (False, True)
    assert history(small_demo).count(("small", "Failed")) == MOST_TRIES


def test_an_airflow_that_is_away_is_waited_for(small_demo: SmallDemo) -> None:
    asked = iter(range(3))

    def away() -> None:
        if next(asked, 3) < 2:
            raise TransientError("Nobody answers.")

    small_demo.before = away
    assert all(load.succeeded for load in small_demo.loading.load())


def test_what_takes_far_too_long_ends(small_demo: SmallDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_PATIENCE", 0.0)

    def never() -> None:
        raise TransientError("Nobody answers.")

    small_demo.before = never
    with pytest.raises(TransientError, match="Loading every table took more than"):
        small_demo.loading.load()
