"""A load as somebody sees it who waits for its end."""

from __future__ import annotations

from sqlalchemy import Engine

from airflow_dataloader.control.load_view import view_load
from airflow_dataloader.core.names import TargetName
from tests.factories import add_row, add_source
from tests.integration.control.drive import claim_now


def test_a_live_load_is_not_over(control: Engine) -> None:
    add_source(control, "shop")
    claimed = claim_now(control, add_row(control, destination_table_name="orders"))
    seen = view_load(control, claimed.metadata_id)
    assert seen is not None
    assert not seen.over
    assert seen.target == TargetName(catalog="bronze", schema="shop", table="orders")


def test_there_is_nothing_to_see_of_a_load_that_does_not_exist(control: Engine) -> None:
    assert view_load(control, 10**9) is None
