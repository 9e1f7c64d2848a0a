"""JSON that PostgreSQL holds, and what of it Python cannot."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.json_text import read_json


def test_what_both_can_hold_is_read() -> None:
    assert read_json('{"a": [1, 2.5, null, "x"]}') == {"a": [1, 2.5, None, "x"]}


@pytest.mark.parametrize("text", ["[1e999]", "[-1e999]", f"[{'9' * 5_000}]"])
def test_a_number_beyond_python_s_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"too large|digits"):
        read_json(text)


def test_a_nest_that_is_too_deep_is_refused() -> None:
    with pytest.raises(RecursionError):
        read_json("[" * 100_000 + "]" * 100_000)
