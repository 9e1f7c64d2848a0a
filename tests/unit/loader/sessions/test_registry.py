"""Which sources a session can be opened to."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.problems import LOADED_DB_TYPES
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.sessions.registry import SESSIONS, open_session
from tests.source_configs import endpoint


def test_every_type_that_is_loaded_has_a_session() -> None:
    assert SESSIONS.keys() == LOADED_DB_TYPES


def test_an_option_that_is_not_allowed_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        open_session(endpoint(options={"loggerFile": "/tmp/x"}))
    assert refusal.value.field == "connection_options.loggerFile"
