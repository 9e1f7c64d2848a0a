"""Metadata-driven bulk loader: rows of a control table become Delta tables, exactly once."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Find ``build_dags`` when a DAG file asks for it: on a cluster there is no Airflow to import."""
    if name == "build_dags":
        return importlib.import_module("airflow_dataloader.dag_factory").build_dags
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
