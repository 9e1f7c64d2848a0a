"""Addresses of Airflow's page, and the link beside a load task there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

#: XCom key of a load's record, as it was when its task ended.
RECORD = "load_record"

#: Airflow's tag of the package's DAGs, whatever they are called.
TAG = "dataloader"


class LoadRecordLink(BaseOperatorLink):
    """Leads to what the task recorded of its load: status, message, rows, version of the target."""

    name = "Load record"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the task's XComs."""
        del operator
        return record_url(ti_key)


def record_url(task: TaskInstanceKey) -> str:
    """Return where the XComs of a task instance are shown."""
    mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
    run = quote(task.run_id)
    return f"{dag_page(task.dag_id)}/runs/{run}/tasks/{task.task_id}{mapped}/xcom"


def dag_page(dag_id: str) -> str:
    """Return where a DAG is shown, which tells its runs from those of one name that are another DAG's."""
    return f"{base_url() or ''}/dags/{dag_id}"


def dags_page() -> str:
    """Return where the DAGs with the package's tag are listed."""
    return f"{base_url() or ''}/dags?tags={TAG}"


def base_url() -> str | None:
    """Return Airflow's own address, which also tells it from another one on the same control database."""
    configured: str = conf.get("api", "base_url", fallback="") or ""
    return configured.rstrip("/") or None
