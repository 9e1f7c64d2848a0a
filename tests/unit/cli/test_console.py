"""What a command shows where there is no terminal, and at one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from airflow_dataloader.cli.console import Progress, new_console, new_table, plain
from airflow_dataloader.loader.observer import Moment
from tests.source_configs import config

LONG = "config_id 7 (sales.a_table_with_a_rather_long_name → bronze.sales.a_table_with_a_rather_long_name)"


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def at_a_terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=200)


def test_a_file_gets_tables_that_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("2 [loads]", ("row", "status"), ("rows",))
    table.add_row(Text(LONG), Text("Succeeded"), "1,000,000")
    new_console().print(table)
    out = capsys.readouterr().out
    assert "2 [loads]" in out
    (line,) = (line for line in out.splitlines() if "config_id" in line)
    assert line.split("  ")[1:] == [LONG, " Succeeded", " 1,000,000", ""]


def test_a_file_gets_one_line_a_step_with_its_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(new_console()) as progress:
        progress.step("Starting [red]Spark[/red]")
        progress.reached(config(), Moment.STAGED)
        progress.now("3 of 7")
        progress.line("numeric[10] " + "x" * 300)
    out = capsys.readouterr().out
    assert out.splitlines() == ["Starting [red]Spark[/red]", "numeric[10] " + "x" * 300]


def test_a_terminal_is_given_no_orders_by_what_a_source_holds() -> None:
    console = at_a_terminal()
    with Progress(console) as progress:
        for say in (progress.step, progress.line, progress.now):
            say("value \x1b]0;owned\x07")
    table = new_table("1 load", ("row",))
    table.add_row(plain("a\x1b[2Jb"))
    console.print(table)
    assert "\x1b]0;" not in shown(console)
    assert "value \\x1b]0;owned\\x07\n" in shown(console)
    assert "a\\x1b[2Jb" in shown(console)


def test_a_terminal_sees_how_far_a_load_is() -> None:
    console = at_a_terminal()
    with Progress(console) as progress:
        progress.step("Starting Spark")
        progress.reached(config(), Moment.STAGED)
        progress.line("ended")
    assert "\x1b[?25h" in shown(console), "the cursor is shown again"
    assert "ended\n" in shown(console)
