"""What each field of a selector looks at."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from airflow_dataloader.control.selection import condition
from airflow_dataloader.control.tables import table_control
from airflow_dataloader.core.selector import parse
from tests.factories import add_row, add_source
from tests.integration.control.drive import claim_now


@pytest.fixture
def names(control: Engine) -> dict[int, str]:
    """Rows under short names, each unlike the others in every field."""
    add_source(control, "Shop", default_target_schema="Landing"), add_source(control, "crm_eu")
    rows = {
        add_row(
            control,
            db_config_key="Shop",
            source_table_name="Order_Lines",
            destination_table_name=" lines",
            # As good as none: the source's own schema counts.
            destination_table_schema=" ",
            tags=["month end", "Daily"],
            owner="Anna B",
        ): "lines",
        add_row(
            control,
            db_config_key="crm_eu",
            source_table_name="customers",
            source_table_catalog="crm",
            destination_table_name="customers",
            load_strategy="check_and_load",
        ): "customers",
        add_row(
            control,
            db_config_key=None,
            source_table_schema=None,
            source_table_name=None,
            query="SELECT 1",
            destination_table_name="orderXlines",
            tags=["100%"],
        ): "query",
    }
    claim_now(control, min(rows))
    return rows


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("name:lines", {"lines"}),
        ("order_lines", {"lines"}),
        ("name:landing.lines", {"lines"}),
        ("name:bronze.landing.lines", {"lines"}),
        ("name:public.order_lines", {"lines"}),
        ("name:crm.public.*", {"customers"}),
        ("name:order?lines", {"lines", "query"}),
        ("name:*lines", {"lines", "query"}),
        ("name:bronze.*", {"lines", "customers", "query"}),
        ("name:line", set()),
        ("source:shop", {"lines"}),
        ("source:crm_eu", {"customers"}),
        ("source:crm?eu,SHOP", {"lines", "customers"}),
        ("status:queued", {"lines"}),
        ("status:none", {"customers", "query"}),
        ("status:none,queued", {"lines", "customers", "query"}),
        ('tag:"month end"', {"lines"}),
        ("tag:daily", {"lines"}),
        ("tag:100%", {"query"}),
        ("tag:%", set()),
        ("strategy:check*", {"customers"}),
        ('owner:"anna b"', {"lines"}),
        ("owner:*", {"lines"}),
        ("source:* status:none", {"customers"}),
        ("name:lines name:landing.*", {"lines"}),
    ],
)
def test_selects(control: Engine, names: dict[int, str], selector: str, expected: set[str]) -> None:
    statement = select(table_control.c.config_id).where(condition(parse(selector)))
    with control.connect() as connection:
        assert {names[config_id] for config_id in connection.execute(statement).scalars()} == expected


@pytest.mark.parametrize("selector", ["name:STRAßE", "name:straße", "owner:weiß", "owner:Weiß", "tag:Groß,x"])
def test_letters_that_fold_to_several_select_themselves(control: Engine, selector: str) -> None:
    add_source(control)
    config_id = add_row(control, source_table_name="Straße", owner="Weiß", tags=["groß"])
    add_row(control, source_table_name="Strasse", owner="Weiss", tags=["gross"])
    statement = select(table_control.c.config_id).where(condition(parse(selector)))
    with control.connect() as connection:
        assert connection.execute(statement).scalars().all() == [config_id]
