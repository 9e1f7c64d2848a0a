"""The verify task's parameters: ids and nothing else."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.tasks.verify import main, parse_id


def test_an_id_is_read() -> None:
    assert parse_id("12") == 12


@pytest.mark.parametrize("text", ["", "12:3", "-1", "a", "1;DROP TABLE x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name a row") as caught:
        parse_id(text)
    assert caught.value.field == "parameters"


def test_no_parameter_is_one_line_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: No row is named.")
    assert "Traceback" not in error
