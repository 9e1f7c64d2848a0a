"""Where pyspark is, without importing it: that costs half a second."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError


def pyspark_folder() -> Path:
    """Return pyspark's folder, a ``SPARK_HOME`` too; raise ConfigurationError if it is not installed."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigurationError("pyspark is not installed.", fix="pip install 'airflow-dataloader[local]'")
    return Path(spec.origin).parent
