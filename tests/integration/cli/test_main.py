"""How a command ends: its exit code, one line, no traceback, no secret."""

from __future__ import annotations

import logging
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sqlalchemy import Engine, text

from airflow_dataloader import __version__
from airflow_dataloader.cli.main import cli, run
from tests.factories import add_row, add_source

SECRET = "s3cret/+x"

#: ``dataloader``, with the start of a Java in place of a command.
STARTS = """
import subprocess, sys
from pathlib import Path
from airflow_dataloader.cli import local_engine, main

def run():
    with local_engine._stderr_to(Path(sys.argv[1])):
        return subprocess.run(["/bin/sh", "-c", "echo said >&2"]).returncode

main.run = run
main.main()
"""


@pytest.fixture
def breaks() -> Iterator[list[BaseException]]:
    """A command that raises what the test puts into the list."""
    errors: list[BaseException] = []

    @cli.command("break")
    def command() -> None:
        logging.getLogger("airflow_dataloader").info("about to break")
        raise errors[0]

    yield errors
    del cli.commands["break"]


@pytest.mark.parametrize("words", [["--help"], ["load", "-h"], ["db", "--help"], ["db", "prune", "-h"]])
def test_help_is_for_strangers(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: dataloader")
    assert len(out.splitlines()) > 6
    assert all(len(line) <= 100 for line in out.splitlines())


def test_every_command_and_option_says_what_it_does() -> None:
    def walk(command: click.Command) -> Iterator[click.Command]:
        yield command
        if isinstance(command, click.Group):
            for below in command.commands.values():
                yield from walk(below)

    for command in walk(cli):
        assert command.help, command.name
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, f"{command.name} {option.name}"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("words", [["bogus"], ["load", "--bogus"], ["demo", "--port", "70000"], ["load"]])
def test_a_command_that_cannot_be_understood(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "Try 'dataloader" in capsys.readouterr().err


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt(
    breaks: list[BaseException], interrupt: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks.append(interrupt)
    assert run(["break"]) == 130
    assert capsys.readouterr().err.strip() == "Interrupted."


def test_a_bug_is_one_line_without_secrets(
    breaks: list[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_SECRET_SHOP_PW", SECRET)
    breaks.append(ValueError(f"cannot use {SECRET} here"))
    assert run(["break"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ValueError: cannot use *** here. Fix: report")


def test_a_secret_that_is_not_utf_8_leaves_a_line_too(
    breaks: list[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = b"p\xe9ssword".decode(errors="surrogateescape")
    monkeypatch.setenv("DATALOADER_SECRET_SHOP_PW", secret)
    breaks.append(ValueError(f"cannot use {secret} here"))
    assert run(["break"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ValueError: cannot use *** here. Fix: report")


def test_a_bug_shows_its_traceback_to_who_asks(
    breaks: list[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKEBASE_PASSWORD", SECRET)
    # The tests' own logging stands in the way of the command's.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    breaks.append(ValueError(f"cannot use {SECRET} here"))
    assert run(["--verbose", "break"]) == 1
    error = capsys.readouterr().err
    assert "INFO about to break" in error
    assert re.search(r"Traceback.*ValueError: cannot use \*\*\* here", error, re.DOTALL)
    assert SECRET not in error


@pytest.mark.parametrize("remote", ["sc://127.0.0.1:1;token=c4nary", "sc://127.0.0.1:1/;token=c4nary="])
def test_a_mistake_in_spark_remote_shows_no_token_anywhere(
    remote: str,
    control: Engine,
    control_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", control_url)
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path))
    monkeypatch.setenv("SPARK_REMOTE", remote)
    add_source(control)
    add_row(control)
    assert run(["-v", "load", "--local", "-s", "source:shop"]) == 1
    out, error = capsys.readouterr()
    assert "Error: SPARK_REMOTE " in error
    with control.connect() as connection:
        (row,) = connection.execute(text("SELECT to_jsonb(t)::text FROM control.table_control AS t"))
        loads = connection.execute(text("SELECT to_jsonb(h)::text FROM control.historical_metadata AS h"))
        assert "c4nary" not in out + error + row[0]
        assert loads.all() == [], "nothing was claimed"


def test_an_output_that_the_shell_has_closed_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "spark.log").write_text("what an earlier one said\n")
    (tmp_path / "spark.log").chmod(0o644)
    program = ["/bin/sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-c", STARTS]
    assert subprocess.run([*program, tmp_path / "spark.log"], check=False, timeout=60).returncode == 0
    assert (tmp_path / "spark.log").read_text() == "said\n"
    assert stat.S_IMODE((tmp_path / "spark.log").stat().st_mode) == 0o600


def test_a_selector_that_is_not_utf_8_cannot_be_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["load", "--local", "-s", b"name:caf\xe9".decode(errors="surrogateescape")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "Error: Selector 'name:caf\\udce9' cannot be read: it holds bytes that are not UTF-8."
    )
