"""The demo's table."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from airflow_dataloader.cli.demo_report import table_of, verdict
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.workspace.demo.loads import Load
from airflow_dataloader.workspace.demo.script import Line, Round
from tests.source_configs import snapshot

LOAD = Load(
    id=1,
    config_id=1,
    status="Succeeded",
    message=None,
    airflow_run="manual__2026-11-01T00:00:00+00:00",
    rows_read=4001,
    rows_inserted=3001,
    rows_updated=None,
    target_version=1,
    config_snapshot=snapshot(),
    receipt={"seconds": {"read": 1.0, "publish": 0.25}},
)


def shown(*lines: Line, width: int = 240) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table_of(Round(title="[title]", lines=lines), "http://127.0.0.1:8080"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_for_every_target_with_its_run() -> None:
    text = shown(Line(load=LOAD, equal=True), Line(load=replace(LOAD, status="Failed"), equal=False))
    assert "[title]" in text
    first, second = (line.split() for line in text.splitlines() if LOAD.target in line)
    assert first == [
        LOAD.target,
        str(LOAD.config.strategy),
        "4,001",
        "3,001",
        "1.2",
        "1",
        "yes",
        LOAD.airflow_run,
    ]
    assert second[-2] == "NO"


def test_a_terminal_gets_a_link_to_the_run() -> None:
    console = Console(file=io.StringIO(), width=240, force_terminal=True)
    console.print(table_of(Round(title="t", lines=[Line(load=LOAD, equal=True)]), "http://127.0.0.1:8080"))
    assert isinstance(console.file, io.StringIO)
    page = "http://127.0.0.1:8080/dags/dataloader_load/runs/manual__2026-11-01T00%3A00%3A00%2B00%3A00"
    assert page in console.file.getvalue()


@pytest.mark.parametrize("equal", [True, False])
def test_a_round_is_equal_if_all_of_it_is(equal: bool) -> None:
    assert Round(title="t", lines=[Line(load=LOAD, equal=True), Line(load=LOAD, equal=equal)]).equal is equal


GOOD = Round(title="t", lines=[Line(load=LOAD, equal=True)])
BAD = Round(title="t", lines=[Line(load=LOAD, equal=True), Line(load=LOAD, equal=False)])


def test_the_demo_has_succeeded_if_every_round_was_equal() -> None:
    assert verdict([GOOD, GOOD]) == (ExitCode.DONE, "Every target equals its source")


@pytest.mark.parametrize("rounds", [[GOOD, BAD], [BAD, GOOD], [BAD]])
def test_the_demo_has_failed_if_one_round_was_not(rounds: list[Round]) -> None:
    assert verdict(rounds) == (ExitCode.FAILED, "At least one target differs from its source")


@pytest.mark.parametrize("rounds", [[], [GOOD, Round(title="t", lines=[])]])
def test_a_demo_that_compared_nothing_has_failed(rounds: list[Round]) -> None:
    assert verdict(rounds) == (ExitCode.FAILED, "Not everything was compared")


def test_a_round_without_tables_proves_nothing() -> None:
    assert not Round(title="t", lines=[]).equal
