"""``dataloader demo``: a shop's database into Delta tables, twice, and the proof that both are equal."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psycopg
from rich.table import Table
from rich.text import Text

from airflow_dataloader.cli import interrupt
from airflow_dataloader.cli.console import Progress, new_console, new_table
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.local_engine import check_engine, local_engine
from airflow_dataloader.control import migrate
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.selector import parse
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.names import WarehouseNames
from airflow_dataloader.loader.local import Loaded, load_locally
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.demo import compare, shop
from airflow_dataloader.workspace.postgres import EmbeddedPostgres

SELECTOR = "source:shop"


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Stop everything at the end instead of staying up.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of its PostgreSQL; 0 takes any free one."
)
def demo(*, leave: bool, port: int) -> int:
    """Load a shop's database twice, and compare every target with its source.

    Needs no Docker, no cloud and no account. It starts a PostgreSQL of its own below DATALOADER_HOME, fills a
    database with a million rows, loads it into Delta tables, changes the shop, loads again. Exit code 0 means
    that every table was equal after both loads.
    """
    settings = Settings.from_environment(os.environ)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(new_console()))
        progress.step("Looking for Java and jars")
        check_engine(settings)
        progress.step("Starting PostgreSQL")
        server = stack.enter_context(EmbeddedPostgres(settings.home / "demo" / "postgres", port, fsync=False))
        show = stack.enter_context(_prepared(server, settings, progress))
        equal = show.run()
        if not leave:
            _stay(progress, server)
    return ExitCode.DONE if equal else ExitCode.FAILED


@dataclass(frozen=True, kw_only=True)
class Line:
    """One table in one round."""

    config: LoadConfig
    load: Loaded
    equal: bool


@dataclass(kw_only=True)
class Show:
    """The demo under way."""

    worker: Worker
    source: psycopg.Connection[Any]
    spark: Any
    warehouse: Path
    progress: Progress

    def run(self) -> bool:
        """Load, change the shop, load again; show both rounds and return whether every target was equal."""
        begun = time.monotonic()
        rounds = [("First load", self._round("Loading everything"))]
        self.progress.step("Changing rows in the shop")
        shop.run_script(self.source, "changes.sql")
        rounds.append(("After changes in the shop", self._round("Loading what changed")))
        for title, lines in rounds:
            self.progress.console.print(table_of(title, lines))
        equal = all(line.equal for _, lines in rounds for line in lines)
        verdict = "Every target equals its source" if equal else "At least one target differs from its source"
        self.progress.line(f"{verdict}; {time.monotonic() - begun:.0f} s.")
        self.progress.line(f"The Delta tables are in {self.warehouse / shop.CATALOG}.")
        return equal

    def _round(self, title: str) -> list[Line]:
        self.progress.step(title)
        return self.compare(self.load())

    def load(self) -> list[Loaded]:
        """Load every row of the shop, whatever its slot."""
        return load_locally(
            self.worker.control, lambda: self.worker, selector=parse(SELECTOR), report=self._report
        )

    def compare(self, loads: Sequence[Loaded]) -> list[Line]:
        """Compare each target with its source; a load that failed makes no equal target."""
        self.progress.step("Comparing targets with their sources")
        return [self._line(load) for load in loads]

    def _report(self, load: Loaded) -> None:
        seconds = sum(load.receipt.seconds.values())
        done = load.status is LoadStatus.SUCCEEDED
        ended = f"{load.receipt.rows_published:,} rows in {seconds:.1f} s" if done else load.message
        self.progress.line(f"  {load.label}: {ended}")
        interrupt.check()

    def _line(self, load: Loaded) -> Line:
        config = LoadConfig.from_snapshot(load.config)
        return Line(config=config, load=load, equal=self._is_equal(config, load))

    def _is_equal(self, config: LoadConfig, load: Loaded) -> bool:
        folder = WarehouseNames(self.warehouse).locate(config.target).folder
        if load.status is not LoadStatus.SUCCEEDED or folder is None:
            return False
        table = f'"{config.source.schema}"."{config.source.name}"'
        relation = f"({config.query}) AS q" if config.query else table
        return compare.source_digest(self.source, relation) == compare.target_digest(self.spark, folder)


@contextmanager
def _prepared(server: EmbeddedPostgres, settings: Settings, progress: Progress) -> Iterator[Show]:
    """Make databases, control rows and an empty warehouse, and open what the loads need."""
    progress.step("Creating a control database, and a shop with a million rows")
    shop.create_databases(server)
    warehouse = settings.home / "warehouse"
    shutil.rmtree(warehouse / shop.CATALOG, ignore_errors=True)
    migrate.upgrade(server.url(shop.CONTROL), report=lambda _: None)
    with ExitStack() as stack:
        source, rows = (
            stack.enter_context(psycopg.connect(server.url(name), autocommit=True))
            for name in (shop.SHOP, shop.CONTROL)
        )
        shop.run_script(source, "shop.sql")
        shop.run_script(rows, "control.sql")
        control = create_engine(server.url(shop.CONTROL))
        stack.callback(control.dispose)
        progress.step("Starting Spark")
        worker = Worker(
            control=control,
            engine=stack.enter_context(local_engine(settings)),
            secrets=SecretChain(EnvironmentSecrets(shop.secrets(server))),
            observer=progress,
        )
        spark = stack.enter_context(compare.open_spark(os.environ.get("SPARK_REMOTE")))
        yield Show(worker=worker, source=source, spark=spark, warehouse=warehouse, progress=progress)


def table_of(title: str, lines: Sequence[Line]) -> Table:
    """Return one round as a table, one line a target."""
    numbers = ("rows read", "inserted", "updated", "seconds", "version", "equal")
    table = new_table(title, ("target", "strategy"), numbers)
    for line in lines:
        receipt = line.load.receipt
        cells = (
            f"{line.config.target.schema}.{line.config.target.table}",
            line.config.strategy,
            _number(receipt.rows_read),
            _number(receipt.rows_inserted),
            _number(receipt.rows_updated),
            f"{sum(receipt.seconds.values()):.1f}",
            _number(receipt.target_version),
        )
        equal = Text("yes", style="green") if line.equal else Text("NO", style="red")
        table.add_row(*(Text(cell) for cell in cells), equal)
    return table


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _stay(progress: Progress, server: EmbeddedPostgres) -> None:
    """Keep the databases up until Ctrl-C, which is how this is meant to end."""
    progress.line("PostgreSQL stays up until Ctrl-C:")
    for name in (shop.CONTROL, shop.SHOP):
        progress.line(f"  psql {server.url(name)}")
    progress.step("Ctrl-C ends it")
    signal.pause()
