"""``airflow dataloader …`` hands its arguments on, and finds Airflow's connection."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from airflow.sdk import conf

from airflow_dataloader.cli import workspace
from airflow_dataloader.cli.airflow_command import commands, run, use_airflow
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader import interrupt
from airflow_dataloader.settings import Settings


def parsed(*arguments: str) -> list[str]:
    (command,) = commands()
    parser = argparse.ArgumentParser()
    sub = parser.add_subparsers().add_parser(command.name)
    for argument in command.args:
        argument.add_to_parser(sub)
    found: list[str] = parser.parse_args([command.name, *arguments]).arguments
    return found


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["-h"], ["--version"], ["load", "--local", "-s", "name:a b"], ["-v", "db", "status"]],
)
def test_every_argument_is_our_own_command_lines(arguments: list[str]) -> None:
    assert parsed(*arguments) == arguments


def test_airflows_connection_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    conn = {
        "conn_type": "dataloader_control",
        "host": "127.0.0.1",
        "login": "u",
        "password": "p",
        "schema": "d",
    }
    monkeypatch.setenv("AIRFLOW_CONN_DATALOADER_CONTROL", json.dumps(conn))
    environ = {"DATALOADER_CONTROL_URL": "postgresql://elsewhere/x"}
    use_airflow(environ)
    assert environ["DATALOADER_CONTROL_URL"] == "postgresql://u:p@127.0.0.1/d"


def test_without_a_connection_the_environment_is_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATALOADER__CONTROL_CONN_ID", "no_such_connection")
    environ = {"DATALOADER_CONTROL_URL": "postgresql://elsewhere/x"}
    use_airflow(environ)
    assert environ["DATALOADER_CONTROL_URL"] == "postgresql://elsewhere/x"


WRONG = [
    ({"AIRFLOW__DATALOADER__BATCH_SIZE": "ten"}, "AIRFLOW__DATALOADER__BATCH_SIZE is 'ten'", 1),
    (
        {"AIRFLOW_CONN_DATALOADER_CONTROL": "postgres://u:s3cret@h/d?colour=red"},
        "Airflow connection dataloader_control holds an extra field",
        5,
    ),
    # A slash in a password ends the part of a URI that it stands in.
    (
        {"AIRFLOW_CONN_DATALOADER_CONTROL": "postgres://u:s3cret/s3cret@h/d"},
        "Airflow cannot read connection dataloader_control from AIRFLOW_CONN_DATALOADER_CONTROL",
        5,
    ),
    (
        {"AIRFLOW_CONN_DATALOADER_CONTROL": '{"password": "s3cret'},
        "Airflow cannot read connection dataloader_control from AIRFLOW_CONN_DATALOADER_CONTROL",
        5,
    ),
]


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """The command takes signals, and sets what Airflow knows: neither is for the tests after it."""
    before = dict(os.environ)
    with interrupt.listening():
        yield
    os.environ.clear()
    os.environ.update(before)


def ended(*words: str) -> object:
    with pytest.raises(SystemExit) as left:
        run(argparse.Namespace(arguments=list(words)))
    return left.value.code


@pytest.mark.parametrize(("environ", "said", "code"), WRONG)
def test_what_is_wrong_is_one_line_and_only_where_it_is_needed(
    environ: dict[str, str],
    said: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://elsewhere/x")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ended("db", "status") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(f"Error: {said}.* Fix: ", line)
    assert "s3cret" not in line
    for words in (["--help"], ["workspace", "--help"], ["load", "--help"]):
        assert ended(*words) == 0
    capsys.readouterr()
    assert ended("doctor") == 1
    assert f"FAIL  control database: {said}" in capsys.readouterr().out


BROKEN = {"AIRFLOW_CONN_DATALOADER_CONTROL": "postgres://u:s3cret@h/d?colour=red"}
ELSEWHERE = {
    "DATALOADER_CONTROL_URL": "postgresql://elsewhere/x",
    "LAKEBASE_HOST": "elsewhere",
    "LAKEBASE_PASSWORD": "p",
    "SPARK_REMOTE": "sc://elsewhere",
}


def test_no_other_database_stands_in_for_a_connection_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BROKEN.items():
        monkeypatch.setenv(name, value)
    environ = dict(ELSEWHERE)
    trouble = use_airflow(environ)
    assert "an extra field" in str(trouble.control)
    assert trouble.settings is None
    assert environ.keys() & ELSEWHERE.keys() == {"SPARK_REMOTE"}


@pytest.fixture
def beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace that says that it begins, and does not; a home that is nobody's."""

    def begins(settings: Settings) -> NoReturn:
        raise ConfigurationError("It begins.")

    monkeypatch.setattr(workspace, "check_engine", begins)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DATALOADER_HOME", raising=False)


@pytest.mark.usefixtures("beginning")
def test_a_workspace_does_not_serve_without_the_connection_s_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("workspace") == 1
    assert capsys.readouterr().err == "Error: It begins.\n"
    for name, value in (BROKEN | ELSEWHERE).items():
        monkeypatch.setenv(name, value)
    assert ended("workspace") == 5
    assert "holds an extra field" in capsys.readouterr().err


@pytest.fixture
def unreadable(tmp_path: Path) -> Iterator[None]:
    """A setting that airflow.cfg has in a way that Airflow cannot read."""
    file = tmp_path / "airflow.cfg"
    file.write_text("[dataloader]\nhome = /srv/50%s3cret\n")
    conf.read(file)
    yield
    conf.remove_option("dataloader", "home")


@pytest.mark.usefixtures("beginning", "unreadable")
def test_no_default_stands_in_for_a_setting_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://elsewhere/x")
    for words in ("db status", "load --local", "workspace", "workspace secret put a b"):
        assert ended(*words.split()) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == (
            "Error: Airflow cannot read [dataloader] home: InterpolationSyntaxError. "
            "Fix: correct it in airflow.cfg, where a % is written %%."
        )
    assert ended("doctor") == 1
    told = capsys.readouterr().out
    assert "FAIL  jars: Airflow cannot read [dataloader] home" in told
    assert "FAIL  control database: Airflow cannot read [dataloader] home" in told
    assert ended("--help") == 0
