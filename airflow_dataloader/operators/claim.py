"""The first task of a load run: gives up on dead loads, then claims what is due.

A DAG file imports this module, so what only a worker needs is imported when the task runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context, conf

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.operators.errors import as_airflow_errors
from airflow_dataloader.operators.links import dag_page

if TYPE_CHECKING:
    from airflow_dataloader.control.claim import Claimed
    from airflow_dataloader.control.reap import Reaped

#: Seconds for which a claim is asked again while the control database is away: it may have been committed,
#: and no other run has its loads. A database that is away when the task begins is not waited for, as there is
#: nothing to lose yet: the next run claims what is due then.
_OUTAGE_PATIENCE = 120.0

_NOT_MAPPED_OVER = (
    "Nothing is claimed: this task was cleared without its downstream tasks, which are over, so that Airflow "
    "would give no load a task. Clear it with them, or leave what is due to the next run."
)


class ClaimOperator(BaseOperator):
    """Returns the loads that this run has claimed, as small dicts for a mapped :class:`LoadOperator`.

    Asked again in the same run, it gives the same answer, unless that was that nothing is due. Then it claims
    what is due by now, if Airflow is going to make tasks of that.

    :param control_conn_id: connection of the control database; None: ``[dataloader] control_conn_id``.
    :param databricks_conn_id: connection of the workspace; None: ``[dataloader] databricks_conn_id``.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#DCE6EA"

    def __init__(
        self, *, control_conn_id: str | None = None, databricks_conn_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.control_conn_id = control_conn_id
        self.databricks_conn_id = databricks_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Reap, claim, and say what was found."""
        with as_airflow_errors():
            return mapped(self._claim(context["ti"]), _longest_map())

    def _claim(self, task: Any) -> list[Claimed]:
        from airflow_dataloader.control.claim import claim
        from airflow_dataloader.control.outage import retry_while_away
        from airflow_dataloader.control.reap import reap
        from airflow_dataloader.control.tries import try_name
        from airflow_dataloader.core.reaping import ReapLimits
        from airflow_dataloader.hooks.control import ControlHook
        from airflow_dataloader.hooks.run_api import DatabricksRunApi

        settings = airflow_settings()
        mapped_over = self._is_mapped_over(task)
        api = DatabricksRunApi(self.databricks_conn_id or settings.databricks_conn_id)
        engine = ControlHook(self.control_conn_id or settings.control_conn_id).engine()
        try:
            limits = ReapLimits.of_minutes(queued=settings.queued_minutes, progress=settings.progress_minutes)
            reaping = reap(engine, run_api=api, limits=limits)
            for reaped in reaping.ended:
                self.log.warning("%s", _given_up(reaped))
            for left in reaping.left:
                self.log.warning("Not given up yet: config_id %s, %s.", left.config_id, left.why.rstrip("."))
            claiming = partial(
                claim,
                engine,
                airflow_run=task.run_id,
                batch_size=min(settings.batch_size, _longest_map()) if mapped_over else 0,
                max_concurrent=settings.max_concurrent_loads,
                airflow_task=try_name(str(task.id), task.try_number),
                airflow_base_url=dag_page(task.dag_id),
            )
            claimed = retry_while_away(claiming, until=time.monotonic() + _OUTAGE_PATIENCE)
        finally:
            engine.dispose()
        if not claimed and not mapped_over:
            self.log.warning(_NOT_MAPPED_OVER)
        return claimed

    def _is_mapped_over(self, task: Any) -> bool:
        """Return whether Airflow is going to make tasks of what this try claims.

        It does not where somebody has cleared this task alone, as those behind it are over: the loads would
        wait for tasks that never come, and their rows lose a slot.
        """
        from airflow_dataloader.triggers.task_state import are_to_run

        behind = sorted(self.downstream_task_ids)
        if task.try_number == 1 or not behind:
            return True
        states = task.get_task_states(dag_id=task.dag_id, run_ids=[task.run_id], task_ids=behind)
        return are_to_run(states, task.run_id)


def mapped(claimed: Sequence[Claimed], longest: int) -> list[dict[str, Any]]:
    """Return what a mapped task needs to know of each load: no configuration, and nothing secret.

    A map has at most ``longest`` members. Rows that were refused at the claim give way: they are settled.
    """
    surplus = max(0, len(claimed) - longest)
    refused = [load.metadata_id for load in claimed if load.load_status == LoadStatus.FAILED]
    left_out = set(refused[max(0, len(refused) - surplus) :])
    return [
        {
            "metadata_id": load.metadata_id,
            "epoch": load.epoch,
            "config_id": load.config_id,
            "label": load.label,
            "max_runtime_minutes": load.max_runtime_minutes,
            "load_status": str(load.load_status),
            "message": load.message,
        }
        for load in claimed
        if load.metadata_id not in left_out
    ]


def _longest_map() -> int:
    return int(conf.getint("core", "max_map_length", fallback=1024))


def _given_up(reaped: Reaped) -> str:
    name = f"load {reaped.metadata_id}" if reaped.metadata_id else "a row without a load"
    return f"Given up: {name} of config_id {reaped.config_id}, {reaped.status}. {reaped.message}"
