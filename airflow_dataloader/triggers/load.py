"""Waits for the end of one load, and writes that end where the run is over and its loader wrote none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dataloader.control.end_without_loader import end_with_run
from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.load_view import LoadView, view_load
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.hooks.run_api import DatabricksRunApi
from airflow_dataloader.hooks.runs import is_missing, read_run
from airflow_dataloader.triggers.backoff import backoff, worth_a_line
from airflow_dataloader.triggers.control import ask
from airflow_dataloader.triggers.hold import hold
from airflow_dataloader.triggers.task_state import TASK_ENDED, TaskAddress, is_over, states_of
from airflow_dataloader.triggers.threads import in_thread

#: Seconds that ``on_kill`` goes on trying; Airflow gives it 30 by default.
_KILL_PATIENCE = 25.0

#: Seconds that a look waits for its answer. It looks again.
_LOOK_PATIENCE = 20

#: Seconds that it waits for the answer to one request for a run's end.
_CANCEL_PATIENCE = 10


class LoadTrigger(BaseTrigger):
    """Fires once the load is settled, whoever settled it; never fails.

    :param metadata_id: the load.
    :param claimed_at: when it was claimed, as the control database writes it. A database that was restored
        from a backup may give the id to another load.
    :param run_id: its Databricks run; None where there is none to watch, only the row.
    :param poll_seconds: between two looks.
    :param hold_seconds: the event is held back until the trigger is this old.
    :param airflow_task: the try that answers for the load; a later one takes it over.
    :param task_address: :class:`.task_state.TaskAddress` of the task that waits in it, as a dictionary.
    """

    def __init__(
        self,
        *,
        metadata_id: int,
        claimed_at: str,
        run_id: int | None,
        control_conn_id: str,
        databricks_conn_id: str,
        poll_seconds: float,
        hold_seconds: float,
        airflow_task: str,
        task_address: dict[str, Any],
    ) -> None:
        super().__init__()
        self.metadata_id = metadata_id
        self.claimed_at = claimed_at
        self.run_id = run_id
        self.control_conn_id = control_conn_id
        self.databricks_conn_id = databricks_conn_id
        self.poll_seconds = poll_seconds
        self.hold_seconds = hold_seconds
        self.airflow_task = airflow_task
        self.task_address = task_address
        self._run_is_missing = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and what makes an equal trigger elsewhere: primitives only."""
        names = (
            "metadata_id",
            "claimed_at",
            "run_id",
            "control_conn_id",
            "databricks_conn_id",
            "poll_seconds",
            "hold_seconds",
            "airflow_task",
            "task_address",
        )
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: the load's facts, its status among them."""
        begun = asyncio.get_running_loop().time()
        facts = await self._wait()
        await hold(self.hold_seconds, begun)
        yield TriggerEvent(facts)

    async def on_kill(self) -> None:
        """End the load if its task has been ended for good and no later try answers for it."""
        if not await self._task_is_over():
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + _KILL_PATIENCE
        for failures in range(1, 1_000):
            try:
                if await self._end():
                    await self._cancel_run()
                return
            except Exception as error:
                # A load left unended is reap's. A run left uncancelled ends at its load's next heartbeat.
                self.log.warning("Load %s could not be cancelled yet: %s", self.metadata_id, error)
                self.log.debug("This is where it happened:", exc_info=True)
            if loop.time() + backoff(failures) > until:
                return
            await asyncio.sleep(backoff(failures))

    async def _wait(self) -> dict[str, Any]:
        failures = 0
        while True:
            try:
                async with DatabricksHook(
                    self.databricks_conn_id, retry_limit=1, timeout_seconds=_LOOK_PATIENCE
                ) as hook:
                    while True:
                        if (facts := await self._look(hook)) is not None:
                            return facts
                        failures = 0
                        await asyncio.sleep(self.poll_seconds)
            except Exception as error:
                # A trigger that raises fails its task, and its load goes on without anybody.
                failures += 1
                if worth_a_line(failures):
                    self.log.warning("Load %s cannot be seen just now: %s", self.metadata_id, error)
                self.log.debug("This is where it happened:", exc_info=True)
            await asyncio.sleep(backoff(failures))

    async def _look(self, hook: DatabricksHook) -> dict[str, Any] | None:
        """Return the load's facts if it is over; end it first if only its run is."""
        facts = await self._facts()
        if facts is not None or self.run_id is None:
            return facts
        run = await self._run(hook, self.run_id)
        if run.state is not RunState.ENDED:
            return None
        if await self._ask(
            partial(end_with_run, metadata_id=self.metadata_id, claimed_at=self.claimed_at, run=run)
        ):
            self.log.info("Run %s is over and had not settled load %s.", self.run_id, self.metadata_id)
        return await self._facts()

    async def _run(self, hook: DatabricksHook, run_id: int) -> Run:
        """Return the run as it stands. One that does not exist proves no end: its loader may be at work."""
        try:
            run = read_run(await hook.a_get_run(run_id))
        except DatabricksApiError as error:
            if not is_missing(error):
                raise
            if not self._run_is_missing:
                self.log.warning(
                    "Run %s cannot be found: its workspace answers HTTP status %s. Load %s ends when its "
                    "loader settles it, or else with a claim after its lease is out.",
                    run_id,
                    error.http_status_code,
                    self.metadata_id,
                )
            run = Run(state=RunState.GONE)
        self._run_is_missing = run.state is RunState.GONE
        return run

    async def _facts(self) -> dict[str, Any] | None:
        watched: LoadView | None = await self._ask(partial(view_load, metadata_id=self.metadata_id))
        if watched is None or watched.claimed_at != self.claimed_at:
            return {"metadata_id": self.metadata_id, "message": f"Load {self.metadata_id} has no record."}
        return watched.facts() if watched.over else None

    async def _end(self) -> bool:
        """End the load; say whether a kill has ended it, this one or one whose answer was lost."""
        ended = await self._ask(
            partial(
                cancel,
                metadata_id=self.metadata_id,
                reason=TASK_ENDED,
                settled_by=SettledBy.TRIGGER,
                airflow_task=self.airflow_task,
            )
        )
        if ended:
            self.log.info("Load %s is cancelled.", self.metadata_id)
            return True
        watched: LoadView | None = await self._ask(partial(view_load, metadata_id=self.metadata_id))
        return watched is not None and watched.over and watched.message == TASK_ENDED

    async def _cancel_run(self) -> None:
        if self.run_id is None:
            return
        api = DatabricksRunApi(self.databricks_conn_id, timeout_seconds=_CANCEL_PATIENCE)
        await in_thread(partial(api.cancel, None, str(self.run_id)))
        self.log.info("Run %s is cancelled, too.", self.run_id)

    async def _task_is_over(self) -> bool:
        task = TaskAddress(**self.task_address)
        try:
            states = await states_of(task)
        except Exception as error:
            # Not to know is no reason to end anything.
            self.log.warning("Load %s goes on: its task's state is unknown (%s).", self.metadata_id, error)
            self.log.debug("This is where it happened:", exc_info=True)
            return False
        return is_over(states, task)

    async def _ask(self, question: Any) -> Any:
        return await ask(self.control_conn_id, question)
