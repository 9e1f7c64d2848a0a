"""The maintenance task's parameters."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.tasks.maintain import main, parse_id


def test_ids_are_read() -> None:
    assert parse_id("12") == 12


@pytest.mark.parametrize("text", ["", "-1", "12:3", "a", "1;DROP TABLE x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_id(text)
    assert caught.value.field == "parameters"


def test_a_mistake_is_one_line_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["all"]) == 1
    assert capsys.readouterr().err == "Error: 'all' is no config_id. Fix: pass numbers.\n"
