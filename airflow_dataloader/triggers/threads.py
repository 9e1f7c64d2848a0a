"""Threads for what blocks in a trigger, apart from the one that all triggers of a process share."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Answer = TypeVar("_Answer")

#: A person who marks a DAG run ends all its loads at once, and an API may take its time over each.
_THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="dataloader-trigger")


async def in_thread(question: Callable[[], _Answer]) -> _Answer:
    """Return the answer to ``question``, asked in a thread, with the caller's context variables.

    Airflow's own calls may be made there: a triggerer takes them to its event loop, from any thread.
    """
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: context.run(question))
