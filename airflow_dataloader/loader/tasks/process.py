"""A task's process: its log, its connections, and how it ends."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.installation import check_installation
from airflow_dataloader.control.outage import START_PATIENCE, retry_while_away
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.control_url import find_control_url
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.error_line import error_line
from airflow_dataloader.loader.secrets import SecretChain, default_secrets
from airflow_dataloader.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Connections:
    """What a task works with."""

    settings: Settings
    secrets: SecretChain
    control: ControlEngine
    engine: Engine


@contextmanager
def connections(installation: str | None = None) -> Iterator[Connections]:
    """Yield what this process's environment names, and close it afterwards.

    Raises ConfigurationError if ``installation`` is given and the control database is another one.
    """
    with ExitStack() as stack:
        secrets = default_secrets()
        control = create_engine(find_control_url(os.environ, secrets))
        stack.callback(control.dispose)
        if installation is not None:
            # Before Spark is opened: its ids mean other loads there, if any.
            check = partial(check_installation, control, installation)
            retry_while_away(check, until=time.monotonic() + START_PATIENCE)
        settings = Settings.from_environment(os.environ)
        engine = stack.enter_context(closing(open_engine(EngineSettings.of(settings, os.environ))))
        yield Connections(settings=settings, secrets=secrets, control=control, engine=engine)


def run(task: Callable[[Sequence[str]], bool], arguments: Sequence[str]) -> int:
    """Run ``task`` with its arguments; return 0 if all went well, 130 if it was interrupted, else 1.

    An error is one line, a bug is raised; what breaks a single load is in the run's log and on its row.
    Whoever cancels a run asks its process to end: by SIGINT or SIGTERM.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        with interrupt.listening():
            return 0 if task(arguments) else 1
    except Exception as error:
        if (line := error_line(error, os.environ)) is None:
            # A bug: its traceback in the run's log is all that there will be of it.
            raise
        print(line, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def row_id(text: str) -> int:
    """Return the id that ``text`` is; raise ConfigurationError if it is none."""
    if not text.isdecimal():
        raise ConfigurationError(f"{text!r} does not name a row.", field="parameters", fix="pass <config_id>")
    return int(text)
