"""What a load says of the window that it has frozen."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.window import freeze_window
from airflow_dataloader.sources.model import DescribedColumn
from tests.unit.loader.active_loads import Answers, active_load

REACHED = "5"


def over(*bounds: str | bool | None, usable: bool = True) -> ActiveLoad:
    """A load with an integer cursor, whose source answers with these bounds."""
    load = active_load(session=Answers(*([[(True,)]] if usable else []), [bounds]), incremental_column="n")
    load.relation = "items"
    load.described = (DescribedColumn(name="n", base="int4", declared="integer"),)
    load.columns = (
        PlannedColumn(
            source_name="n", name="n", select="n", wire=Wire.NATIVE, type="int", source_type="integer"
        ),
    )
    return load


@pytest.mark.parametrize(("high", "watermark", "behind"), [(None, "5", None), ("3", "5", True)])
def test_a_source_that_has_lost_its_newest_rows_is_remarked_on(
    high: str | None, watermark: str, *, behind: bool | None
) -> None:
    load = over(high, high, watermark, None, behind, None)
    window = freeze_window(load, REACHED)
    assert (window.high, window.watermark) == (high, REACHED)
    (said,) = load.journal.receipt.notes
    assert "If the source was filled anew, set load_full = 'true'." in said
    assert REACHED in said


def test_a_source_that_never_had_a_cursor_is_not() -> None:
    load = over(None, None, None, None, None, None, usable=False)
    assert freeze_window(load, None).watermark is None
    assert not load.journal.receipt.notes
