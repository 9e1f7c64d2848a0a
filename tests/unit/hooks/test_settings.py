"""Airflow's configuration as settings."""

from __future__ import annotations

import pytest

from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.settings import Settings


def test_without_any_setting_there_are_the_defaults() -> None:
    assert airflow_settings({}) == Settings.from_environment({})


def test_airflows_configuration_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATALOADER__BATCH_SIZE", "17")
    monkeypatch.setenv("AIRFLOW__DATALOADER__CLUSTER", '{"existing_cluster_id": "0101-abc"}')
    found = airflow_settings({})
    assert (found.batch_size, found.cluster) == (17, {"existing_cluster_id": "0101-abc"})


def test_our_own_environment_comes_before_a_default_of_airflows() -> None:
    assert airflow_settings({"DATALOADER_BATCH_SIZE": "5"}).batch_size == 5
