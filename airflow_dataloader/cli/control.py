"""The control database that a command works on."""

from __future__ import annotations

import os

from sqlalchemy import Engine

from airflow_dataloader.control.connect import create_engine, resolve_url


def control_url() -> str:
    """Return the control database's URL from the environment, or raise ConfigurationError saying how."""
    return resolve_url(os.environ)


def control_engine() -> Engine:
    """Return an engine for the control database; nothing is connected yet."""
    return create_engine(control_url())
