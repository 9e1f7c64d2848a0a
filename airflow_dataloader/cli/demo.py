"""``dataloader demo``: a shop's database into Delta tables, twice, and the proof that both are equal."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.control import migrate
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.selector import parse
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.names import WarehouseNames
from airflow_dataloader.loader.engines.spark.session import open_engine
from airflow_dataloader.loader.local import Loaded, load_locally
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.demo import compare, shop
from airflow_dataloader.workspace.postgres import EmbeddedPostgres

#: The catalog that ``control.sql`` loads into; its folder is the demo's own and made anew each time.
CATALOG = "demo"
SELECTOR = "source:shop"


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Stop everything at the end instead of staying up.")
def demo(*, leave: bool) -> int:
    """Load a shop's database twice and compare; needs no Docker, no cloud and no account."""
    console = Console()
    home = Settings.from_environment(os.environ).home
    with ExitStack() as stack:
        signal.signal(signal.SIGTERM, _interrupted)
        status = stack.enter_context(console.status("Starting PostgreSQL"))
        server = stack.enter_context(EmbeddedPostgres(home / "demo" / "postgres", fsync=False))
        show = stack.enter_context(_prepared(server, home, status))
        rounds = [show.round("first load")]
        status.update("Changing rows in the shop")
        shop.run_script(show.source, "changes.sql")
        rounds.append(show.round("after changes"))
        status.stop()
        for title, lines in rounds:
            console.print(_table(title, lines))
        equal = all(line.equal for _, lines in rounds for line in lines)
        console.print("Every target equals its source." if equal else "At least one target differs.")
        if not leave:
            _stay(console, server)
    return ExitCode.DONE if equal else ExitCode.FAILED


@dataclass(frozen=True, kw_only=True)
class Line:
    """One table in one round."""

    table: str
    strategy: str
    load: Loaded
    equal: bool


@dataclass(kw_only=True)
class Show:
    """The demo under way."""

    worker: Worker
    source: psycopg.Connection[Any]
    spark: Any
    warehouse: Path
    status: Status

    def round(self, title: str) -> tuple[str, list[Line]]:
        """Load every row of the shop and compare each target with its source."""
        self.status.update(f"Loading: {title}")
        loads = load_locally(self.worker, selector=parse(SELECTOR), report=self._report)
        return title, [self._line(load) for load in loads]

    def _report(self, load: Loaded) -> None:
        rows = load.receipt.rows_published
        self.status.console.print(Text(f"  {load.label}: {load.status or 'not loaded'}, {rows} rows"))

    def _line(self, load: Loaded) -> Line:
        config = LoadConfig.from_snapshot(load.config)
        self.status.update(f"Comparing {config.target}")
        table = f'"{config.source.schema}"."{config.source.name}"'
        relation = f"({config.query}) AS q" if config.query else table
        location = WarehouseNames(self.warehouse).locate(config.target)
        equal = load.status is LoadStatus.SUCCEEDED and (
            compare.source_digest(self.source, relation) == compare.target_digest(self.spark, location.sql)
        )
        return Line(table=str(config.target), strategy=config.strategy, load=load, equal=equal)


@contextmanager
def _prepared(server: EmbeddedPostgres, home: Path, status: Status) -> Iterator[Show]:
    """Make databases, control rows and an empty warehouse, and open what the loads need."""
    status.update("Creating a shop with a million rows")
    shop.create_databases(server)
    shutil.rmtree(home / "warehouse" / CATALOG, ignore_errors=True)
    migrate.upgrade(server.url(shop.CONTROL), report=lambda _: None)
    secrets = SecretChain(EnvironmentSecrets(shop.secrets(server)))
    with (
        psycopg.connect(server.url(shop.SHOP), autocommit=True) as source,
        psycopg.connect(server.url(shop.CONTROL), autocommit=True) as rows,
    ):
        shop.run_script(source, "shop.sql")
        shop.run_script(rows, "control.sql")
        status.update("Starting Spark")
        control = create_engine(server.url(shop.CONTROL))
        with closing(open_engine(Settings.from_environment(os.environ))) as engine:
            worker = Worker(control=control, engine=engine, secrets=secrets)
            spark = compare.open_spark(os.environ.get("SPARK_REMOTE"))
            yield Show(worker=worker, source=source, spark=spark, warehouse=home / "warehouse", status=status)
        control.dispose()


def _table(title: str, lines: list[Line]) -> Table:
    table = Table(title=title)
    for heading in ("table", "strategy", "rows read", "inserted", "updated", "seconds", "version", "equal"):
        table.add_column(heading, justify="left" if heading in {"table", "strategy"} else "right")
    for line in lines:
        receipt = line.load.receipt
        cells = (
            line.table,
            line.strategy,
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


def _stay(console: Console, server: EmbeddedPostgres) -> None:
    """Keep the databases up until Ctrl-C."""
    console.print("PostgreSQL stays up until Ctrl-C:")
    for name in (shop.CONTROL, shop.SHOP):
        console.print(f"  psql {server.url(name)}", soft_wrap=True, highlight=False)
    signal.pause()


def _interrupted(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
