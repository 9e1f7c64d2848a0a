"""The settings of ``[dataloader]`` as Airflow's configuration has them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from airflow.sdk import conf

from airflow_dataloader.settings import PREFIXES, Settings

SECTION = "dataloader"


def airflow_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings: Airflow's environment and file, then ours, then the defaults.

    Raises ConfigurationError naming the setting at fault.
    """
    return Settings.from_environment(dict(environ) | configured(environ))


def configured(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Airflow's configuration sets past its environment, under the environment's names.

    A default that the provider registers sets nothing: our own environment still comes before it.
    """
    airflows, ours = PREFIXES
    found = {}
    for option in Settings.options():
        text = conf.get(SECTION, option.name, fallback="")
        variable = option.name.upper()
        if text and text != option.default and not environ.get(ours + variable):
            found[airflows + variable] = text
    return found
