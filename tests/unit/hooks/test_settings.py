"""Airflow's configuration as settings."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NoReturn

import pytest
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowConfigException

from airflow_dataloader.exceptions import ConfigurationError
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


def test_our_own_environment_comes_before_airflow_cfg_and_after_airflows_environment(tmp_path: Path) -> None:
    file = tmp_path / "airflow.cfg"
    file.write_text("[dataloader]\nbatch_size = 30\n")
    conf.read(file)
    try:
        found = [
            airflow_settings(environ).batch_size
            for environ in (
                {},
                {"DATALOADER_BATCH_SIZE": "20"},
                {"DATALOADER_BATCH_SIZE": "20", "AIRFLOW__DATALOADER__BATCH_SIZE": "10"},
            )
        ]
    finally:
        conf.remove_option("dataloader", "batch_size")
    assert found == [30, 20, 10]


def refusal() -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        airflow_settings({})
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_a_lone_percent_in_airflow_cfg_is_named_without_the_value(tmp_path: Path) -> None:
    file = tmp_path / "airflow.cfg"
    file.write_text("[dataloader]\ncluster = {%s3cret}\n")
    conf.read(file)
    try:
        said = str(refusal())
    finally:
        conf.remove_option("dataloader", "cluster")
    assert said == (
        "Airflow cannot read [dataloader] cluster: InterpolationSyntaxError. "
        "Fix: correct it in airflow.cfg, where a % is written %%."
    )


def test_what_airflow_s_own_error_quotes_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(section: str, key: str, **kwargs: str) -> NoReturn:
        raise AirflowConfigException("Cannot execute x. Output: s3cret")

    monkeypatch.setattr(conf, "get", get)
    assert refusal().message == "Airflow cannot read [dataloader] home: AirflowConfigException."
