"""The control database that a command works on."""

from __future__ import annotations

import os

import click
from sqlalchemy import Engine

from airflow_dataloader.control.connect import create_engine, resolve_url
from airflow_dataloader.exceptions import DataloaderError


def control_url() -> str:
    """Return the control database's URL from the environment, or raise ConfigurationError saying how.

    Raises what kept :func:`airflow_dataloader.cli.main.run` from knowing it.
    """
    context = click.get_current_context(silent=True)
    trouble = context and context.find_object(DataloaderError)
    if trouble:
        raise trouble
    return resolve_url(os.environ)


def control_engine() -> Engine:
    """Return an engine for the control database; nothing is connected yet."""
    return create_engine(control_url())
