"""The control database as triggers ask it: in a few threads that all of them share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from airflow.sdk import BaseHook
from sqlalchemy import Engine

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.hooks.control import ControlHook
from airflow_dataloader.triggers.threads import in_thread

_Answer = TypeVar("_Answer")

#: A triggerer holds hundreds of loads; their questions are short and may wait for each other.
_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="dataloader-control")

_engines: dict[str, Engine] = {}


async def ask(conn_id: str, question: Callable[[Engine], _Answer]) -> _Answer:
    """Return the answer to ``question``, asked in a thread with the engine of an Airflow connection.

    After an error the connection is looked up again: its password may have changed.
    """
    engine = _engines.get(conn_id)
    if engine is None:
        # Airflow's asynchronous lookup waits for the one thread that all triggers of a process share.
        conn = await in_thread(partial(BaseHook.get_connection, conn_id))
        engine = _engines.setdefault(conn_id, create_engine(ControlHook(conn_id).url_of(conn)))
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, question, engine)
    except Exception:
        if _engines.get(conn_id) is engine:
            del _engines[conn_id]
            engine.dispose()
        raise
