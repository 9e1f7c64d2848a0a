"""The load task's parameters: ids and nothing else."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.run import LoadIds
from airflow_dataloader.loader.tasks.load import main, parse_ids


def test_ids_are_read() -> None:
    assert parse_ids("12:3") == LoadIds(metadata_id=12, epoch=3)


@pytest.mark.parametrize("text", ["", "12", "12:", ":3", "a:b", "-1:3", "12:3:4", "12;DROP TABLE x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_ids(text)
    assert caught.value.field == "parameters"


def test_no_parameter_is_one_line_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: No load is named.")
    assert "Traceback" not in error
