"""The demo's verdict: it must be able to say no."""

from __future__ import annotations

import io
from collections.abc import Iterator

import psycopg
import pytest
from rich.console import Console

from airflow_dataloader.cli.console import Progress
from airflow_dataloader.cli.demo import Show, demo, table_of
from airflow_dataloader.workspace.demo import compare, shop
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from tests.bench import Bench


@pytest.fixture
def show(bench: Bench) -> Iterator[Show]:
    """The demo over two small tables; a load reads only what has a higher id."""
    for table in ("small", "grows"):
        bench.source.execute(
            f"CREATE TABLE {table} AS SELECT i AS id, i * 1.50 AS price FROM generate_series(1, 9) i"
        )
    bench.row("small")
    bench.row("grows", load_strategy="incremental", primary_key_cols="id", incremental_column="id")
    console = Console(file=io.StringIO(), width=200)
    with compare.open_spark(bench.remote) as spark:
        yield Show(
            worker=bench.worker,
            source=bench.source,
            spark=spark,
            warehouse=bench.home / "warehouse",
            progress=Progress(console),
        )


def change(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Let the shop change by ``statement`` between the two loads."""

    def run(source: psycopg.Connection, name: str) -> None:
        assert name == "changes.sql"
        source.execute(statement.encode())

    monkeypatch.setattr(shop, "run_script", run)


def said(show: Show) -> str:
    assert isinstance(show.progress.console.file, io.StringIO)
    return show.progress.console.file.getvalue()


def test_changes_that_the_loads_see(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, "UPDATE small SET price = 0; INSERT INTO grows VALUES (10, 0.00)")
    assert show.run()
    assert "Every target equals its source" in said(show)
    assert said(show).count(" yes ") == 4


def test_a_change_below_the_watermark_is_a_difference(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, "UPDATE grows SET price = 0 WHERE id = 1")
    assert not show.run()
    assert "At least one target differs" in said(show)
    assert (said(show).count(" yes "), said(show).count(" NO ")) == (3, 1)


def test_a_load_that_failed_is_a_difference(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, "DROP TABLE small")
    assert not show.run()
    assert "source_table_name" in said(show)
    assert said(show).count(" NO ") == 1


def test_the_table_has_a_line_for_every_target(show: Show) -> None:
    lines = show.compare(show.load())
    assert table_of("[title]", lines).row_count == 2


@pytest.mark.parametrize("equal", [True, False])
def test_the_exit_code_is_the_verdict(equal: bool, monkeypatch: pytest.MonkeyPatch, home: object) -> None:
    # Everything around the verdict is tested by the demo itself, run as a command.
    monkeypatch.setenv("DATALOADER_HOME", str(home))
    monkeypatch.setattr(EmbeddedPostgres, "start", lambda self: None)
    monkeypatch.setattr("airflow_dataloader.cli.demo._prepared", lambda *_: _Fixed(equal))
    assert demo.main(["--exit"], standalone_mode=False) == (0 if equal else 1)


class _Fixed:
    """A show whose verdict is known beforehand."""

    def __init__(self, equal: bool) -> None:
        self._equal = equal

    def __enter__(self) -> _Fixed:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self) -> bool:
        return self._equal
