"""By what a load knows a row."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.keys import key_columns
from tests.unit.loader.active_loads import active_load


def test_a_key_column_that_the_source_lacks_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'id'") as refusal:
        key_columns(active_load())
    assert refusal.value.field == "primary_key_cols"
