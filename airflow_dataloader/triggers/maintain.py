"""Waits for the end of a maintenance run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger
from airflow.triggers.base import TriggerEvent

from airflow_dataloader.triggers.hold import hold


class MaintainTrigger(DatabricksExecutionTrigger):
    """The Databricks provider's own, whose event is held back until the trigger is ``hold_seconds`` old."""

    def __init__(self, *, hold_seconds: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hold_seconds = hold_seconds

    @classmethod
    def of(cls, trigger: DatabricksExecutionTrigger, hold_seconds: float) -> Self:
        """Return what waits for the same run."""
        return cls(hold_seconds=hold_seconds, **trigger.serialize()[1])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and what makes an equal trigger elsewhere."""
        return f"{__name__}.{type(self).__name__}", {
            **super().serialize()[1],
            "hold_seconds": self.hold_seconds,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: how the run ended."""
        begun = asyncio.get_running_loop().time()
        async for event in super().run():
            await hold(self.hold_seconds, begun)
            yield event
