"""The control database that a command works on."""

from __future__ import annotations

import os

from sqlalchemy import Engine

from airflow_dataloader.cli.startup_errors import raise_control_error
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.url import resolve_url


def control_url() -> str:
    """Return the control database's URL from the environment, or raise ConfigurationError saying how.

    Raises what kept :func:`airflow_dataloader.cli.main.run` from knowing it.
    """
    raise_control_error()
    return resolve_url(os.environ)


def control_engine() -> Engine:
    """Return an engine for the control database; nothing is connected yet."""
    return create_engine(control_url())
