"""The verify task's parameters."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.tasks.verify import main


def test_no_parameter_is_one_line_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: No row is named.")
    assert "Traceback" not in error
