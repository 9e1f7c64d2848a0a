"""The workspace as one thing that is started and stopped."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from airflow_dataloader.workspace.app_state import AppState
from airflow_dataloader.workspace.application import application
from airflow_dataloader.workspace.connections import limited
from airflow_dataloader.workspace.faults import Faults
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.jobs.execution import RunContext
from airflow_dataloader.workspace.jobs.queue import RunQueue
from airflow_dataloader.workspace.jobs.store import RunStore
from airflow_dataloader.workspace.listening import listen, url_of
from airflow_dataloader.workspace.secret_store import SecretFile
from airflow_dataloader.workspace.spark.protocol import Spark
from airflow_dataloader.workspace.tokens import owner_token

#: Runs at a time where nobody says otherwise: two, or as many as there are cores.
DEFAULT_RUNS = max(2, os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class WorkspaceSettings:
    """What a workspace is started with."""

    #: ``DATALOADER_HOME``.
    home: Path
    #: 0: the last one of this home if it is free, else any free one.
    port: int = 0
    max_concurrent_runs: int = DEFAULT_RUNS
    faults: bool = False
    #: Seconds that a connection may take for the head of a request.
    head_seconds: float = 20.0
    #: Connections at a time, idle ones too; each load that is watched may keep one.
    max_connections: int = 512
    #: What runs inherit: the control database's URL among it.
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    #: What logs must not show besides the secrets of the workspace's own scopes.
    hidden: frozenset[str] = field(default=frozenset(), repr=False)


@contextmanager
def running(settings: WorkspaceSettings, open_spark: Callable[[WorkspaceHome], Spark]) -> Iterator[AppState]:
    """Run a workspace in this process, and stop it and what it started at the end.

    Raises ConfigurationError if the home is another workspace's, or the port somebody else's.
    """
    home = WorkspaceHome.below(settings.home)
    with ExitStack() as stack:
        stack.enter_context(home.taken())
        socket = listen(settings.port, home.last_url())
        stack.callback(socket.close)
        store = RunStore(home.database)
        stack.callback(store.close)
        spark = open_spark(home)
        stack.callback(spark.close)
        context = RunContext(
            home=home, store=store, spark=spark, url=url_of(socket), environment=settings.environment
        )
        queue = RunQueue(context, settings.max_concurrent_runs)
        state = AppState(
            context=context,
            queue=queue,
            secrets=SecretFile(home.secrets),
            owner_token=owner_token(home.owner_token),
            faults=Faults() if settings.faults else None,
            hidden=settings.hidden,
        )
        stack.enter_context(_serving(state, socket, limited(settings.head_seconds, settings.max_connections)))
        home.publish(context.url)
        queue.start()
        stack.callback(queue.close)
        yield state


@contextmanager
def _serving(state: AppState, socket: object, protocol: type[asyncio.Protocol]) -> Iterator[None]:
    """Answer requests in a thread of its own: signals are the main thread's."""
    config = uvicorn.Config(
        application(state),
        http=protocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
