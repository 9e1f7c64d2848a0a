"""Errors met while reading Airflow's settings, raised only by the commands that need them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.settings import Settings


@dataclass(frozen=True, kw_only=True)
class StartupErrors:
    """Errors, or None where there is nothing wrong."""

    settings: DataloaderError | None = None
    control: DataloaderError | None = None


def raise_control_error() -> None:
    """Raise what keeps the control database from being known that was configured elsewhere."""
    if error := _errors().control:
        raise error


def settings_or_raise() -> Settings:
    """Return the settings of the environment, or raise what keeps others from being known.

    Never the defaults in their place: another DATALOADER_HOME would be written to.
    """
    if error := _errors().settings:
        raise error
    return Settings.from_environment(os.environ)


def _errors() -> StartupErrors:
    context = click.get_current_context(silent=True)
    return (context and context.find_object(StartupErrors)) or StartupErrors()
