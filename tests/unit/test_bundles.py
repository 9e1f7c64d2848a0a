from __future__ import annotations

from airflow_dataloader import resources
from airflow_dataloader.bundles import DataloaderDagBundle


def test_the_bundle_is_the_folder_of_the_dag_files() -> None:
    bundle = DataloaderDagBundle(name="dataloader")
    assert bundle.path == resources.dags_folder()
    assert (bundle.path / "dataloader.py").is_file()
    assert bundle.get_current_version() is None
    bundle.refresh()
