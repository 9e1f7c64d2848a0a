"""From a row's configuration to an open session at its source."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.connect_source import connect_source
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from tests.source_configs import config

NONE = SecretChain(EnvironmentSecrets({}))


@pytest.mark.parametrize(
    ("db_type", "field"), [("oracle", "db_type"), ("postgresql", "db_config_value.host")]
)
def test_a_type_that_cannot_be_loaded_is_said_before_its_secrets_are_asked_for(
    db_type: str, field: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        connect_source(config(db_type=db_type), NONE, application_name="adl-x-1")
    assert refusal.value.field == field
