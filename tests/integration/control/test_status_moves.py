"""``last_status`` moves as the documents' life cycle says, and not otherwise."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.status import RowStatus
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source

STATUSES: list[RowStatus | None] = [None, *RowStatus]
Q, P, S, F = RowStatus.QUEUED, RowStatus.IN_PROGRESS, RowStatus.SUCCEEDED, RowStatus.FAILED

#: The documents' life cycle, and the moves that this package adds to it.
LEGAL = {(None, Q), (Q, P), (Q, F), (P, S), (P, F), (S, Q), (S, None), (F, Q), (F, None), (F, F)}


@pytest.fixture
def row(control: Engine) -> int:
    add_source(control)
    return add_row(control)


def put(control: Engine, config_id: int, status: str | None, *, repair: bool = False) -> None:
    settings = {"dataloader.repair": "on"} if repair else {}
    with transaction(control, settings=settings) as connection:
        connection.execute(
            text("UPDATE control.table_control SET last_status = :status WHERE config_id = :id"),
            {"status": status, "id": config_id},
        )


def status_of(control: Engine, config_id: int) -> str | None:
    with transaction(control) as connection:
        query = text("SELECT last_status FROM control.table_control WHERE config_id = :id")
        return connection.execute(query, {"id": config_id}).scalar_one()


def test_every_legal_move_is_made_and_no_other(control: Engine) -> None:
    add_source(control)
    for old, new in product(STATUSES, STATUSES):
        row = add_row(control)
        put(control, row, old, repair=True)
        legal = old == new or (old, new) in LEGAL
        if legal:
            put(control, row, new)
        else:
            with pytest.raises(ConfigurationError) as caught:
                put(control, row, new)
            assert caught.value.field == "last_status"
        assert status_of(control, row) == (new if legal else old)


def test_refusal_names_row_move_and_way_out(control: Engine, row: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        put(control, row, "Succeeded")
    assert f"config_id {row}: last_status cannot go from NULL to 'Succeeded'" in caught.value.message
    assert "SET LOCAL dataloader.repair = 'on'" in str(caught.value.fix)


@pytest.mark.parametrize("word", ["Cancelled", "queued", ""])
def test_only_the_five_statuses_exist_even_for_a_repair(control: Engine, row: int, word: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a status"):
        put(control, row, word, repair=True)


def test_a_row_is_born_without_status(control: Engine) -> None:
    add_source(control)
    with pytest.raises(Exception, match="last_status cannot go from NULL to 'Succeeded'"):
        add_row(control, last_status="Succeeded")


def test_repair_is_recorded_and_ends_with_its_transaction(control: Engine, row: int) -> None:
    put(control, row, "Succeeded", repair=True)
    with transaction(control) as connection:
        newest = connection.execute(
            text("SELECT * FROM control.table_control_history ORDER BY history_id DESC LIMIT 1")
        ).one()
    assert newest.change_source == "repair"
    assert newest.changed_fields == ["last_status"]
    assert (newest.old_values["last_status"], newest.new_values["last_status"]) == (None, "Succeeded")
    with pytest.raises(ConfigurationError):
        put(control, row, "In Progress")


def test_a_legal_move_under_repair_is_no_repair(control: Engine, row: int) -> None:
    put(control, row, "Queued", repair=True)
    with transaction(control) as connection:
        sources = connection.execute(text("SELECT change_source FROM control.table_control_history"))
        assert list(sources.scalars()) == ["sql"]


def test_a_move_stamps_its_time_unless_the_statement_does(control: Engine, row: int) -> None:
    put(control, row, "Queued")
    with transaction(control) as connection:
        stamped = text(
            "SELECT clock_timestamp() - last_status_date_time < interval '1 minute'"
            " FROM control.table_control"
        )
        assert connection.execute(stamped).scalar_one()
        connection.execute(
            text(
                "UPDATE control.table_control SET last_status = 'Failed',"
                " last_status_date_time = '2020-01-01T00:00:00Z'"
            )
        )
        year = text("SELECT extract(year FROM last_status_date_time) FROM control.table_control")
        assert connection.execute(year).scalar_one() == 2020


def test_an_unknown_status_of_an_adopted_row_can_be_left(control_url: str, control: Engine, row: int) -> None:
    with psycopg.connect(control_url) as connection:
        connection.execute(
            "ALTER TABLE control.table_control DISABLE TRIGGER zz_table_control_10_status_moved"
        )
        connection.execute("UPDATE control.table_control SET last_status = 'Running'")
        connection.execute(
            "ALTER TABLE control.table_control ENABLE TRIGGER zz_table_control_10_status_moved"
        )
    with pytest.raises(ConfigurationError):
        put(control, row, "Succeeded")
    put(control, row, "Queued")
    assert status_of(control, row) == "Queued"
