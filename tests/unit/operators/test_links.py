from __future__ import annotations

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.types import TaskInstanceKey

from airflow_dataloader.operators.links import LoadRecordLink, base_url, dag_page, record_url


def key(map_index: int) -> TaskInstanceKey:
    return TaskInstanceKey(
        dag_id="dataloader_load",
        task_id="load",
        run_id="scheduled__2026-01-01T00:00:00+00:00",
        try_number=1,
        map_index=map_index,
    )


def test_the_record_is_where_the_task_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/a/")
    url = "https://airflow.example/a/dags/dataloader_load/runs/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/load"
    assert record_url(key(3)) == f"{url}/mapped/3/xcom"
    assert record_url(key(-1)) == f"{url}/xcom"
    assert LoadRecordLink().get_link(BaseOperator(task_id="load"), ti_key=key(3)) == record_url(key(3))


def test_an_airflow_without_an_address_has_none() -> None:
    assert base_url() is None
    assert dag_page("dataloader_load") == "/dags/dataloader_load"
