"""The settings of ``[dataloader]`` as Airflow's configuration has them."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowConfigException

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.settings import PREFIXES, Settings

SECTION = "dataloader"


def airflow_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings: Airflow's environment, then ours, then Airflow's file, then the defaults.

    Raises ConfigurationError naming the setting at fault.
    """
    return Settings.from_environment(dict(environ) | configured(environ))


def configured(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Airflow's configuration sets and our own environment does not, under Airflow's names.

    A default that the provider registers sets nothing. Raises ConfigurationError naming the setting that
    Airflow cannot read.
    """
    airflows, ours = PREFIXES
    found = {}
    for option in Settings.options():
        text = _text(option.name)
        variable = option.name.upper()
        if text and text != option.default and not environ.get(ours + variable):
            found[airflows + variable] = text
    return found


def _text(name: str) -> str:
    try:
        return conf.get(SECTION, name, fallback="")
    except (AirflowConfigException, configparser.Error) as error:
        # Not chained: Airflow's words quote the value.
        raise ConfigurationError(
            f"Airflow cannot read [{SECTION}] {name}: {type(error).__name__}.",
            field=f"[{SECTION}] {name}",
            fix="correct it in airflow.cfg, where a % is written %%",
        ) from None
