"""The command line in this process, with the environment that a person would give it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.bench import Bench

#: Takes the words of a command; returns exit code, output and errors.
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dataloader(
    bench: Bench, control_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``dataloader``, which never shows a traceback, nor the source's password."""
    from airflow_dataloader.cli.main import run

    environment = {
        "DATALOADER_CONTROL_URL": control_url,
        "DATALOADER_HOME": str(bench.home),
        "SPARK_REMOTE": bench.remote,
        **bench.secret_environment,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def command(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        out, error = capsys.readouterr()
        assert "Traceback" not in error
        assert bench.server.password not in out + error
        return code, out, error

    return command
