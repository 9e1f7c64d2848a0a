"""``dataloader db`` on a real, empty database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from airflow_dataloader.cli.main import run

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture
def empty(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"cli_{uuid4().hex}"
    postgres.create(name)
    monkeypatch.setenv("DATALOADER_CONTROL_URL", postgres.url(name))
    yield name
    postgres.drop(name)


@pytest.mark.usefixtures("empty")
def test_migrate_status_downgrade(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "status"]) == 5
    assert run(["db", "migrate"]) == 0
    assert run(["db", "status"]) == 0
    assert run(["db", "migrate"]) == 0
    assert run(["db", "downgrade", "0001"]) == 0
    assert run(["db", "status"]) == 5
    assert "Traceback" not in capsys.readouterr().err


def test_no_url_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DATALOADER_CONTROL_URL", "LAKEBASE_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert run(["db", "status"]) != 0
    error = capsys.readouterr().err
    assert "DATALOADER_CONTROL_URL" in error
    assert "Traceback" not in error


def test_a_database_that_is_away_is_exit_code_5_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://ann:s3cret@127.0.0.1:1/dataloader")
    assert run(["db", "status"]) == 5
    said = "".join(capsys.readouterr())
    assert "s3cret" not in said
    assert "Traceback" not in said


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run(["db", "sideways"]) == 2


@pytest.mark.parametrize("option", ["--loads-days", "--loads-per-row", "--edits-days"])
def test_more_than_can_be_counted_is_the_argument_s_fault(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "prune", option, "3000000000"]) == 2
    assert option in capsys.readouterr().err
