"""Reading rows."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.lookup import get_control_tables, get_table_details, select_rows
from airflow_dataloader.core.selector import parse
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source
from tests.integration.control.drive import due_row, edit, row


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop", default_target_schema="landing")


def test_ready_rows_by_the_documents_query(control: Engine) -> None:
    later = due_row(control, next_load_date_time="2021-01-01")
    first = due_row(control, next_load_date_time="2020-06-01")
    add_row(control), due_row(control, is_active=False)
    assert [row["config_id"] for row in get_control_tables(control)] == [first, later]
    assert len(get_control_tables(control, limit=1)) == 1


def test_a_row_with_its_source(control: Engine) -> None:
    config_id = add_row(control, load_strategy="rolling", next_load_date_time="infinity")
    details = get_table_details(control, config_id=config_id)
    assert details is not None
    assert (details["load_strategy"], details["db_type"]) == ("rolling", "postgresql")
    assert details["db_config_value"]["host"] == "shop-host"
    assert details["default_target_schema"] == "landing"
    assert details["next_load_date_time"].year == 9999
    assert get_table_details(control, config_id=999) is None


def test_a_row_without_source(control: Engine) -> None:
    details = get_table_details(control, config_id=add_row(control, db_config_key=None))
    assert details is not None
    assert details["db_type"] is None


def test_by_control_key_where_that_says_which(control: Engine) -> None:
    config_id = add_row(control, source_table_name="orders", destination_table_name="a")
    key = row(control, config_id)["control_key"]
    for given in (bytes(key), key.hex()):
        details = get_table_details(control, control_key=given)
        assert details is not None
        assert details["config_id"] == config_id
    assert get_table_details(control, control_key=b"nothing") is None
    other = add_row(control, source_table_name="orders", destination_table_name="b")
    with pytest.raises(ConfigurationError, match=f"2 rows have this control_key: .*{other}"):
        get_table_details(control, control_key=key)


def test_selected_rows_are_active_and_in_the_order_of_a_claim(control: Engine) -> None:
    second = add_row(control, source_table_name="b", destination_table_name="b")
    first = add_row(
        control, source_table_name="a", destination_table_name="a", priority=1, destination_table_schema=None
    )
    add_row(control, is_active=False)
    found = select_rows(control, parse("source:shop"))
    assert [row.config_id for row in found] == [first, second]
    # What is not given but by a space, the source gives, to the name as to the load.
    edit(control, first, destination_table_schema=" ", destination_table_name=" a ")
    (found[0],) = select_rows(control, parse("name:landing.a"))
    assert found[0].label == f"config_id {first} (public.a → bronze.landing.a)"
    assert select_rows(control, parse("name:nothing")) == []


def test_a_key_or_an_id_that_cannot_be_one_is_said(control: Engine) -> None:
    with pytest.raises(ConfigurationError, match="not hexadecimal") as caught:
        get_table_details(control, control_key="zz")
    assert caught.value.field == "control_key"
    with pytest.raises(ConfigurationError, match=r"bigint out of range\. Fix: use a number"):
        get_table_details(control, config_id=2**70)
