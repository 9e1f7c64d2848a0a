"""Rows of one answer: as many as fit a budget of memory."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.fetch_size import MOST_ROWS, UNMEASURED, RowWidth, fetch_size

MIB = 1024**2


@pytest.mark.parametrize(
    ("average", "widest", "rows"),
    [
        (100, 100, MOST_ROWS),
        (0, 0, MOST_ROWS),
        (100 * 1024, 100 * 1024, 655),
        # Few rows are wide, and they may come together.
        (1024, MIB, 256),
        (80 * MIB, 80 * MIB, 1),
        (400 * MIB, 900 * MIB, 1),
    ],
)
def test_an_answer_has_rows_of_64_mib_and_of_256_if_all_are_as_wide_as_the_widest(
    average: float, widest: int, rows: int
) -> None:
    assert fetch_size(RowWidth(average=average, widest=widest)) == rows


def test_rows_that_nobody_has_measured_are_read_in_smaller_answers() -> None:
    assert fetch_size(None) == UNMEASURED < MOST_ROWS
