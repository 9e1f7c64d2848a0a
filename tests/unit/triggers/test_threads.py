"""Threads for what blocks."""

from __future__ import annotations

import asyncio
import contextvars
import threading

from asgiref.sync import sync_to_async

from airflow_dataloader.triggers.threads import in_thread

_word = contextvars.ContextVar("_word", default="")


def test_nobody_else_who_blocks_is_waited_for() -> None:
    async def beside_one_that_blocks() -> int:
        done = threading.Event()
        other = asyncio.ensure_future(sync_to_async(done.wait)())
        try:
            return await asyncio.wait_for(in_thread(lambda: 7), 60)
        finally:
            done.set()
            await other

    assert asyncio.run(beside_one_that_blocks()) == 7


def test_the_caller_s_context_is_there() -> None:
    async def asked() -> str:
        _word.set("mine")
        return await in_thread(_word.get)

    assert asyncio.run(asked()) == "mine"
