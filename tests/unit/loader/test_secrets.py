"""Secrets by scope and name."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.secrets import (
    DatabricksSecrets,
    EnvironmentSecrets,
    SecretChain,
    variable_name,
)


def test_the_variable_is_upper_case_with_underscores() -> None:
    assert (
        variable_name("azure-keyvault", "shop.pass word") == "DATALOADER_SECRET_AZURE_KEYVAULT_SHOP_PASS_WORD"
    )


def test_the_first_store_that_knows_a_secret_answers() -> None:
    chain = SecretChain(
        EnvironmentSecrets({"DATALOADER_SECRET_A_X": "first"}),
        EnvironmentSecrets({"DATALOADER_SECRET_A_X": "second", "DATALOADER_SECRET_A_Y": "other"}),
    )
    assert chain.get("a", "x") == "first"
    assert chain.get("a", "y") == "other"
    assert chain.get("a", "z") is None


def test_an_empty_secret_is_a_secret() -> None:
    assert SecretChain(EnvironmentSecrets({"DATALOADER_SECRET_A_X": ""})).require("a", "x", field="f") == ""


def test_a_missing_secret_names_itself_its_field_and_the_fix() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SecretChain(EnvironmentSecrets({})).require("vault", "pw", field="db_config_value.password")
    assert caught.value.field == "db_config_value.password"
    assert "'pw'" in str(caught.value)
    assert "DATALOADER_SECRET_VAULT_PW" in str(caught.value)


def test_the_cluster_s_store_tells_missing_from_forbidden() -> None:
    def missing(scope: str, name: str) -> str:
        raise RuntimeError("RESOURCE_DOES_NOT_EXIST: no such secret")

    def forbidden(scope: str, name: str) -> str:
        raise RuntimeError("PERMISSION_DENIED: value was hunter2")

    assert DatabricksSecrets(missing).get("s", "n") is None
    with pytest.raises(ConfigurationError) as caught:
        DatabricksSecrets(forbidden).get("s", "n")
    assert "hunter2" not in str(caught.value)
