"""Names and numbers in a sentence."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.wording import counted, listed


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
        ([7, 8], "7, 8"),
    ],
)
def test_a_long_list_is_cut(names: list[object], said: str) -> None:
    assert listed(names, 2) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (1200, "1,200 rows")])
def test_one_is_no_plural(number: int, said: str) -> None:
    assert counted(number, "row") == said
