"""The maintenance task's parameters."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.tasks.maintain import main


def test_a_mistake_is_one_line_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["all"]) == 1
    assert capsys.readouterr().err == "Error: 'all' does not name a row. Fix: pass <config_id>.\n"
