"""What the command says of an error."""

from __future__ import annotations

import pytest

from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.main import run


def test_an_error_gives_a_terminal_no_orders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://h%1b%5d0;x/d?sslmode=disable")
    assert run(["db", "status"]) == ExitCode.CONTROL
    said = capsys.readouterr().err
    assert "connection to h\\x1b]0;x go without TLS" in said
    assert "\x1b" not in said
