"""``airflow dataloader …`` hands its arguments on, and finds Airflow's connection."""

from __future__ import annotations

import argparse
import json

import pytest

from airflow_dataloader.cli.airflow_command import commands, use_airflow


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
