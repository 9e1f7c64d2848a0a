"""The demo's show over two small tables, loaded in this process: what Airflow adds, the demo itself tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader.loader.local import load_locally
from airflow_dataloader.workspace.demo import row_digest
from airflow_dataloader.workspace.demo.comparison import Comparison
from airflow_dataloader.workspace.demo.loading import Loading
from airflow_dataloader.workspace.demo.script import DemoScript

if TYPE_CHECKING:
    from tests.bench import Bench


@dataclass
class Told:
    """Remembers what it was told."""

    lines: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.lines.append(text)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def now(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class SmallDemo:
    """Tables ``small`` (full) and ``grows`` (incremental by id)."""

    bench: Bench
    told: Told
    comparison: Comparison
    #: Runs before each claim.
    before: Callable[[], object] = lambda: None

    @property
    def loading(self) -> Loading:
        return Loading(
            control_url=self.bench.control_url, trigger=self._claim, pause=lambda: None, reporter=self.told
        )

    def show(self, change: str) -> DemoScript:
        """Return the show whose source changes by a statement."""
        return DemoScript(
            load_first=self.loading.load,
            load_again=self.loading.load,
            compare=self.comparison.equal,
            change=lambda: self.bench.source.execute(change),
            reporter=self.told,
        )

    def _claim(self) -> None:
        self.before()
        load_locally(self.bench.control, lambda: self.bench.context, selector=None)


@pytest.fixture
def small_demo(bench: Bench, postgres: object) -> Iterator[SmallDemo]:
    for table in ("small", "grows"):
        bench.source.execute(
            f"CREATE TABLE {table} AS SELECT i AS id, i * 1.50 AS price FROM generate_series(1, 9) i"
        )
    bench.row("small")
    bench.row("grows", load_strategy="incremental", primary_key_cols="id", incremental_column="id")
    with row_digest.open_spark(bench.remote) as spark:
        comparison = Comparison(
            source_url=bench.server.url(bench.source.info.dbname),
            warehouse=bench.home / "warehouse",
            digests=lambda folders: {folder: row_digest.target_digest(spark, folder) for folder in folders},
            pause=lambda: None,
        )
        yield SmallDemo(bench, Told(), comparison)
