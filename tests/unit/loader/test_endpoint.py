"""From a row, which holds names of secrets, to a place to connect to."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.endpoint import resolve_endpoint
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from tests.source_configs import config

LOGIN = {"host": "db", "port": "5432", "database": "shop", "user": "reader", "password": "canary"}


def secrets(**values: str) -> SecretChain:
    named = {f"DATALOADER_SECRET_TEST_SHOP_{name.upper()}": value for name, value in (LOGIN | values).items()}
    return SecretChain(EnvironmentSecrets(named))


def test_reads_wait_for_as_long_as_the_load_may_take() -> None:
    row = config(db_kv_scope="test", max_runtime_minutes=5)
    endpoint = resolve_endpoint(row, secrets(), application_name="adl-x-1")
    assert (endpoint.host, endpoint.port, endpoint.read_seconds) == ("db", 5432, 300)


@pytest.mark.parametrize("port", ["", "0", "70000", "5432/shop", "5" * 5000])
def test_a_port_that_is_none_is_refused_without_being_shown(port: str) -> None:
    row = config(db_kv_scope="test")
    with pytest.raises(ConfigurationError) as refusal:
        resolve_endpoint(row, secrets(port=port), application_name="adl-x-1")
    assert refusal.value.field == "db_config_value.port"
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("item", LOGIN)
@pytest.mark.parametrize("value", ["canary\0", "canary\udcff"])
def test_what_no_client_can_send_is_refused_without_being_shown(item: str, value: str) -> None:
    row = config(db_kv_scope="test")
    with pytest.raises(ConfigurationError, match="NUL, or bytes that are not UTF-8") as refusal:
        resolve_endpoint(row, secrets(**{item: value}), application_name="adl-x-1")
    assert refusal.value.field == f"db_config_value.{item}"
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("item", ["database", "user"])
def test_no_client_s_default_stands_in_for_an_empty_secret(item: str) -> None:
    row = config(db_kv_scope="test")
    with pytest.raises(ConfigurationError, match="is empty") as refusal:
        resolve_endpoint(row, secrets(**{item: ""}), application_name="adl-x-1")
    assert refusal.value.field == f"db_config_value.{item}"
