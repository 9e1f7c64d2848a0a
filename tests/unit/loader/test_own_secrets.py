"""The secrets that a process was given."""

from __future__ import annotations

from airflow_dataloader.loader.own_secrets import all_secrets, login_secrets

ENVIRONMENT = {
    "DATALOADER_CONTROL_URL": "postgresql://ann:s3cret%21@127.0.0.1:5432/dataloader",
    "SPARK_REMOTE": "sc://localhost:15002/;token=t0ken;user_id=x",
    "LAKEBASE_PASSWORD": "lake",
    "DATABRICKS_TOKEN": "dapi1\r",
    "DATALOADER_SECRET_DEMO_SHOP_PASSWORD": "shop",
    "HOME": "/home/ann",
}


def test_logins_are_found_wherever_they_stand() -> None:
    assert login_secrets(ENVIRONMENT) == {"s3cret!", "t0ken", "lake", "dapi1", "dapi1\r"}


def test_what_stands_in_for_a_scope_is_secret_too() -> None:
    assert all_secrets(ENVIRONMENT) == login_secrets(ENVIRONMENT) | {"shop"}


def test_nothing_is_a_secret_where_nothing_is_set() -> None:
    assert all_secrets({}) == set()


def test_a_url_that_cannot_be_read_hides_nothing_and_breaks_nothing() -> None:
    assert login_secrets({"DATALOADER_CONTROL_URL": "postgres//nonsense"}) == set()
