"""Waits for the end of a maintenance run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Self

from airflow.providers.databricks.hooks.databricks import DatabricksHook, RunState
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger
from airflow.triggers.base import TriggerEvent

from airflow_dataloader.hooks.redaction import LogRedacted
from airflow_dataloader.triggers.backoff import backoff, worth_a_line
from airflow_dataloader.triggers.hold import hold
from airflow_dataloader.triggers.task_state import TaskAddress, newest_run_of, states_of, waits_on
from airflow_dataloader.triggers.threads import in_thread

#: Seconds that the API may fail without a break, beyond the provider's own tries of each question.
_PATIENCE = 900.0


class _NotingHook(DatabricksHook):
    """The provider's own, which also notes when it heard last that a run goes on."""

    #: By the event loop's clock; None: it has not heard that yet.
    seen_at: float | None = None

    async def a_get_run_state(self, run_id: int) -> RunState:
        """Return the state, as the provider does."""
        state = await super().a_get_run_state(run_id)
        # Of a run that is over more is asked, and that has to be answered, too.
        if not state.is_terminal:
            self.seen_at = asyncio.get_running_loop().time()
        return state


class MaintainTrigger(DatabricksExecutionTrigger):
    """The Databricks provider's own, which goes on with the run where it only moves to another triggerer.

    :param hold_seconds: the event is held back until the trigger is this old.
    :param task_address: :class:`.task_state.TaskAddress` of the task that waits in it, as a dictionary.
    """

    def __init__(self, *, hold_seconds: float, task_address: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hold_seconds = hold_seconds
        self.task_address = task_address
        self.hook: _NotingHook = _NotingHook(
            self.databricks_conn_id,
            retry_limit=self.retry_limit,
            retry_delay=self.retry_delay,
            retry_args=self.retry_args,
            caller=self.caller,
        )

    @classmethod
    def of(cls, trigger: DatabricksExecutionTrigger, hold_seconds: float, task: TaskAddress) -> Self:
        """Return what waits for the same run."""
        return cls(hold_seconds=hold_seconds, task_address=asdict(task), **trigger.serialize()[1])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and what makes an equal trigger elsewhere."""
        return f"{__name__}.{type(self).__name__}", {
            **super().serialize()[1],
            "hold_seconds": self.hold_seconds,
            "task_address": self.task_address,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: how the run ended. Raises what the API says where it does so for a long time."""
        loop = asyncio.get_running_loop()
        begun = failing = loop.time()
        failures = 0
        while True:
            try:
                async for event in super().run():
                    await hold(self.hold_seconds, begun)
                    yield event
                return
            except Exception as error:
                seen = self.hook.seen_at
                if seen is not None and seen > failing:
                    failures, failing = 0, seen
                if loop.time() - failing > _PATIENCE:
                    raise
                failures += 1
                if worth_a_line(failures):
                    self.log.warning("Run %s cannot be seen just now: %s", self.run_id, error)
            await asyncio.sleep(backoff(failures))

    async def on_kill(self) -> None:
        """End the run, unless its task waits for it on, or nobody can say."""
        task = TaskAddress(**self.task_address)
        try:
            states, newest = await states_of(task), await newest_run_of(task)
        except Exception as error:
            # Not to know is no reason to end anything.
            self.log.warning("Run %s goes on: what its task does is unknown (%s).", self.run_id, error)
            self.log.debug("This is where it happened:", exc_info=True)
            return
        # The try after a clear may wait by now, for a run of its own.
        if not waits_on(states, task) or newest not in (None, self.run_id):
            await in_thread(self._cancel)

    def _cancel(self) -> None:
        # The provider's own would raise what a triggerer logs with all that it quotes.
        self.log.info("Run %s is to end with its task.", self.run_id)
        with LogRedacted(self.log, f"Run {self.run_id} could not be cancelled", self.hook):
            self.hook.cancel_run(self.run_id)
