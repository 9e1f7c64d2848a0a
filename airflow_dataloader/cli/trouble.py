"""Errors met while reading Airflow's settings, raised only by the commands that need them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Errors, or None where there is nothing wrong."""

    settings: DataloaderError | None = None
    control: DataloaderError | None = None


def check_control() -> None:
    """Raise what keeps the control database from being known that was configured elsewhere."""
    if error := _trouble().control:
        raise error


def own_settings() -> Settings:
    """Return the settings of the environment, or raise what keeps others from being known.

    Never the defaults in their place: another DATALOADER_HOME would be written to.
    """
    if error := _trouble().settings:
        raise error
    return Settings.from_environment(os.environ)


def _trouble() -> Trouble:
    context = click.get_current_context(silent=True)
    return (context and context.find_object(Trouble)) or Trouble()
