from __future__ import annotations

import asyncio

import pytest

from airflow_dataloader.triggers.hold import hold, hold_seconds


def test_it_goes_past_the_time_in_which_airflow_may_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "7")
    assert hold_seconds() == 12


def test_what_is_old_enough_is_not_held() -> None:
    async def held() -> None:
        await asyncio.wait_for(hold(3600, asyncio.get_running_loop().time() - 3601), timeout=60)

    asyncio.run(held())
