"""What a command that works at tables has at hand: its progress, the control database, and Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.cli.console import Progress, new_console
from airflow_dataloader.cli.control import control_engine
from airflow_dataloader.cli.local_engine import local_engine
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """The tools of one command; what it has opened closes with :func:`open_workbench`."""

    progress: Progress
    control: ControlEngine
    settings: Settings
    #: Closes all that the command has opened.
    opened: ExitStack

    def start_spark(self) -> Engine:
        """Start Spark, which takes seconds: only once there is something to do."""
        self.progress.step("Starting Spark")
        return self.opened.enter_context(local_engine(self.settings))


@contextmanager
def open_workbench(settings: Settings) -> Iterator[Workbench]:
    """Show progress and open the control database; Spark too, once it is asked for."""
    with ExitStack() as opened:
        progress = opened.enter_context(Progress(new_console()))
        control = control_engine()
        opened.callback(control.dispose)
        yield Workbench(progress=progress, control=control, settings=settings, opened=opened)
