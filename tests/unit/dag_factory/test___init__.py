from __future__ import annotations

from typing import Any

from airflow_dataloader.dag_factory import build_dags


def test_a_dag_file_gets_every_dag_under_its_name() -> None:
    namespace: dict[str, Any] = {}
    build_dags(namespace)
    assert set(namespace) == {"dataloader_load"}
    assert namespace["dataloader_load"].dag_id == "dataloader_load"
