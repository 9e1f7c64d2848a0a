"""Names of tries on a load's record, and which of two is the newer."""

from __future__ import annotations

import pytest

from airflow_dataloader.control.tries import try_name, try_number


@pytest.mark.parametrize("number", [1, 12])
def test_a_name_tells_its_try(number: int) -> None:
    assert try_number(try_name("0197d1f6-2c5e-7d7a", number)) == number


@pytest.mark.parametrize("name", [None, "", "task", "task/", "7/task", "task/-1"])
def test_what_is_no_try_s_name_has_no_number(name: str | None) -> None:
    assert try_number(name) == 0
