"""The package's DAG files as a bundle of Airflow's, for installations without a copy in a dags folder.

Airflow's own bundle has to be named beside it, because the list replaces the default::

    [dag_processor]
    dag_bundle_config_list = [
        {"name": "dags-folder", "kwargs": {},
         "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"},
        {"name": "dataloader", "kwargs": {},
         "classpath": "airflow_dataloader.bundles.DataloaderDagBundle"}]
"""

from __future__ import annotations

from pathlib import Path

from airflow.dag_processing.bundles.base import BaseDagBundle

from airflow_dataloader.resources import dags_folder


class DataloaderDagBundle(BaseDagBundle):
    """The installed DAG files: always the version of the package that is installed."""

    supports_versioning = False

    @property
    def path(self) -> Path:
        """Return the folder of the DAG files."""
        return dags_folder()

    def get_current_version(self) -> None:
        """Return no version: an upgrade of the package replaces the files."""

    def refresh(self) -> None:
        """Do nothing: an installation does not change by itself."""
