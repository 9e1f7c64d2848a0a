"""The SELECT list by policy; what it selects is tested on a real server."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.plan import Wire
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.planning import diagnose, plan_columns

ID = DescribedColumn(name="id", base="int8", declared="bigint")
DAY = DescribedColumn(name="Day", base="date", declared="date")
PRICE = DescribedColumn(name="the price", base="numeric", declared="numeric(10,2)", modifier=(10 << 16) + 6)


def test_names_and_types_of_the_target() -> None:
    columns = plan_columns([ID, DAY, PRICE], ValuePolicy.FAIL).columns
    assert [(column.name, column.type, column.wire) for column in columns] == [
        ("id", "bigint", Wire.NATIVE),
        ("Day", "date", Wire.EPOCH_DAYS),
        ("the_price", "decimal(10,2)", Wire.NATIVE),
    ]


def test_what_is_always_kept_is_selected_bare_under_every_policy() -> None:
    for policy in ValuePolicy:
        plan = plan_columns([ID], policy)
        assert (plan.columns[0].select, plan.replaced) == ('"id"', None)


def test_a_driver_that_refuses_by_itself_costs_no_guard() -> None:
    assert plan_columns([PRICE], ValuePolicy.FAIL).columns[0].select == '"the price"'


def test_as_string_a_risky_column_is_its_text() -> None:
    plan = plan_columns([DAY, PRICE], ValuePolicy.STRING)
    assert [(column.select, column.type) for column in plan.columns] == [
        ('"Day"::text', "string"),
        ('"the price"::text', "string"),
    ]
    assert plan.replaced is None


def test_as_string_a_text_that_can_be_kept_is_the_one_that_other_policies_keep() -> None:
    tags = DescribedColumn(name="tags", base="_text", declared="text[]", array=True)
    (column,) = plan_columns([tags], ValuePolicy.STRING).columns
    assert 'THEN to_json("tags")::text ELSE "tags"::text END' in column.select


@pytest.mark.parametrize("spelled", ["Day", "day"])
def test_a_column_whose_order_matters_never_becomes_text(spelled: str) -> None:
    assert plan_columns([DAY], ValuePolicy.STRING, [spelled]).columns[0].type == "date"


def test_as_null_what_is_replaced_is_counted_column_by_column() -> None:
    replaced = plan_columns([ID, DAY, PRICE], ValuePolicy.NULL).replaced or ""
    assert replaced.count("::int4") == 2
    assert '"Day" IS NOT NULL' in replaced


def test_columns_that_would_share_a_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'the price' and 'THE_PRICE'"):
        plan_columns(
            [PRICE, DescribedColumn(name="THE_PRICE", base="int4", declared="integer")], ValuePolicy.FAIL
        )


def test_a_source_without_columns_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no columns"):
        plan_columns([], ValuePolicy.FAIL)


def test_there_is_nothing_to_look_for_where_all_is_kept() -> None:
    def ask(sql: str) -> list[tuple[object, ...]]:
        raise AssertionError("asked for nothing")

    assert diagnose(ask, [ID], "t", None) is None
