"""The engine of a command that loads in its own process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airflow_dataloader.loader.engines.spark import jars
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.engines.spark.java import java_home
from airflow_dataloader.loader.engines.spark.jvm import end_jvm
from airflow_dataloader.loader.engines.spark.remote import check_remote, remote_of
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.private_file import open_private_log
from airflow_dataloader.settings import Settings


def check_engine(settings: Settings) -> None:
    """Fetch jars that are missing; raise ConfigurationError or EngineFailed if no Spark could start here."""
    check_remote(os.environ)
    if remote_of(os.environ) is None:
        java_home()
        jars.ensure(jars.DEFAULT, settings.home)


@contextmanager
def local_engine(settings: Settings) -> Iterator[SparkEngine]:
    """Yield an engine: ``SPARK_REMOTE``'s, else Spark of our own, which has ended when this returns.

    What a Java of ours says while it starts goes to ``spark.log`` below ``DATALOADER_HOME``.
    """
    with ExitStack() as stack:
        if remote_of(os.environ) is None:
            stack.callback(end_jvm)
        with _stderr_to(settings.home / "spark.log"):
            engine = open_engine(EngineSettings.of(settings, os.environ))
        stack.callback(engine.close)
        yield engine


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """Let child processes that start meanwhile write their stderr to ``log``, for as long as they live."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    ours = os.dup(2)
    try:
        # It may show what was read, and lie there from before, open to all.
        with open_private_log(log) as file:
            file.truncate(0)
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)
