"""Holds an event back until Airflow can take it.

Airflow fails a task whose trigger fires before the executor has noticed that the task was deferred.
"""

from __future__ import annotations

import asyncio

from airflow.sdk import conf

#: Seconds past ``[workers] min_heartbeat_interval`` before which a deferred task must not be resumed.
_HOLD = 5


def hold_seconds() -> float:
    """Return how old a trigger must be before it fires."""
    return conf.getint("workers", "min_heartbeat_interval") + _HOLD


async def hold(seconds: float, begun: float) -> None:
    """Return when a trigger is so old that began at ``begun``, by its loop's clock."""
    await asyncio.sleep(max(0.0, seconds - (asyncio.get_running_loop().time() - begun)))
