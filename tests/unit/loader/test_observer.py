"""Who is told how far a load has come."""

from __future__ import annotations

import logging

import pytest

from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.unit.loader.active_loads import active_load


def test_the_log_names_row_and_moment(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        LogObserver().reached(active_load().config, Moment.STAGED)
    assert "config_id 7" in caplog.text
    assert "staged" in caplog.text
