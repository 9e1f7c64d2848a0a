"""Which sources a session can be opened to."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.problems import DB_TYPES, LOADED_DB_TYPES
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.sessions.registry import open_session
from tests.source_configs import endpoint


@pytest.mark.parametrize("db_type", sorted(DB_TYPES - LOADED_DB_TYPES))
def test_a_type_without_a_session_is_refused_before_anything_is_opened(db_type: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{db_type}' cannot be loaded") as refusal:
        open_session(endpoint(db_type=db_type))
    assert refusal.value.field == "db_type"


def test_an_option_that_is_not_allowed_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        open_session(endpoint(options={"loggerFile": "/tmp/x"}))
    assert refusal.value.field == "connection_options.loggerFile"
