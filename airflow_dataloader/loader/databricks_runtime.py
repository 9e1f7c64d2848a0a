"""Whether this process runs on Databricks, where Spark, its session and the secrets are the runtime's."""

from __future__ import annotations

from collections.abc import Mapping


def on_databricks(environ: Mapping[str, str]) -> bool:
    """Return whether the process with this environment runs on Databricks."""
    return "DATABRICKS_RUNTIME_VERSION" in environ
