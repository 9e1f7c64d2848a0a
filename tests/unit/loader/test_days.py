"""A rolling window in the target's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.days import remark_on_gap, slice_predicate
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target
from airflow_dataloader.sources.model import Days
from tests.unit.loader.active_loads import active_load


@pytest.mark.parametrize(
    ("kind", "first", "predicate"),
    [
        (CursorType.DATE, "2026-01-05", "`a``b` >= DATE '2026-01-05'"),
        (CursorType.TIMESTAMP_NTZ, "2026-01-05 00:00:00", "`a``b` >= TIMESTAMP_NTZ '2026-01-05 00:00:00'"),
        (CursorType.TIMESTAMP, "2026-01-04 23:00:00+00", "`a``b` >= TIMESTAMP '2026-01-04 23:00:00+00'"),
    ],
)
def test_the_target_is_asked_for_the_same_value(kind: CursorType, first: str, predicate: str) -> None:
    assert slice_predicate(days(first, kind=kind)) == predicate


def days(first: str, begins: str = "", *, kind: CursorType = CursorType.TIMESTAMP) -> Days:
    """A window whose first value is ``first``, at the instant ``begins``: in UTC if that is not given."""
    column = PlannedColumn(
        source_name="a`b", name="a`b", select="x", wire=Wire.NATIVE, type=str(kind), source_type="x"
    )
    return Days(
        column=column,
        type=kind,
        first=first,
        begins=begins or first,
        seen_until="",
        shown_until="",
        where="",
        missing="",
    )


def keeping(*commits: Commit, continuous: bool = True, published: int | None = 2) -> ActiveLoad:
    """A load that keeps older rows, over a target with these last commits, the newest first."""
    load = active_load(load_strategy="rolling", rolling_column="at", rolling_days=3, rolling_retention="keep")
    entries = tuple(HistoryEntry(table_version=3, commit=commit) for commit in commits)
    load.target = Target(version=3, columns={}, commits=entries, filled=True, continuous=continuous)
    load.started = replace(load.started, published_epoch=published)
    return load


def window(seen: str | None, shown: str | None = None) -> Commit:
    """The commit of a load that saw the source until then, when its zone showed so much: UTC if not given."""
    facts = Facts() if seen is None else Facts(seen_until=seen, shown_until=shown or seen)
    return Commit(app_id="adl:i:7", epoch=2, step=1, metadata_id=40, facts=facts)


def remarks(load: ActiveLoad, first: str, begins: str = "") -> str:
    remark_on_gap(load, days(first, begins))
    return " ".join(load.journal.receipt.notes)


@pytest.mark.parametrize(
    ("seen", "shown", "first", "begins", "gap"),
    [
        pytest.param("2026-01-03 23:00:00+00", "2026-01-03", "2026-01-03", "2026-01-03 00:00:00+00", False),
        # The last load did not see the end of that day.
        pytest.param("2026-01-03 23:00:00+00", "2026-01-03", "2026-01-04", "2026-01-04 00:00:00+00", True),
        pytest.param("2026-01-03 12:00:00+00", None, "2026-02-01 00:00:00+00", "", True),
        pytest.param("2026-01-03 12:00:00+00", None, "2026-01-03 12:00:00+00", "", False),
        pytest.param(None, None, "2026-02-01", "", False),
        # The zone was further east, and is UTC now: its day has begun later.
        pytest.param("2026-01-03 23:00:00+00", None, "2026-01-04 00:00:00+00", "", True),
        pytest.param(
            "2026-01-03 23:00:00+00", "2026-01-04", "2026-01-04", "2026-01-04 00:00:00+00", True,
            id="what is written in UTC all along",
        ),
        # It was UTC, and is further east: its day has begun earlier, but not for whoever still writes in UTC.
        pytest.param("2026-01-03 14:00:00+00", None, "2026-01-03 13:00:00+00", "", False),
        pytest.param("2026-01-03 14:00:00+00", "2026-01-03", "2026-01-04", "2026-01-03 13:00:00+00", True),
        # From Kathmandu to Kolkata, a quarter of an hour after and before midnight in both.
        pytest.param("2026-01-03 18:45:00+00", None, "2026-01-03 18:30:00+00", "", False),
        pytest.param("2026-01-03 18:15:00+00", None, "2026-01-03 18:30:00+00", "", True),
        # Clocks are set back in Berlin: a day of 25 hours.
        pytest.param("2026-10-25 22:59:00+00", None, "2026-10-24 22:00:00+00", "", False),
        pytest.param("2026-10-25 22:59:00+00", None, "2026-10-25 23:00:00+00", "", True),
    ],
)  # fmt: skip
def test_rows_that_may_have_come_between_two_windows_are_remarked_on(
    seen: str | None, shown: str | None, first: str, begins: str, *, gap: bool
) -> None:
    said = remarks(keeping(window(seen, shown)), first, begins)
    assert ("may be missing" in said) is gap
    assert ("rolling_days" in said) is gap


@pytest.mark.parametrize("strategy", ["incremental", "chunked_backfill", "full"])
def test_what_another_strategy_has_left_is_remarked_on_once(strategy: str) -> None:
    other = replace(window(None), facts=Facts(strategy=strategy))
    said = remarks(keeping(other), "2026-02-01")
    assert f"The target was loaded as {strategy} last; rows of earlier days may be missing." in said
    assert not remarks(keeping(window("2026-02-01"), other), "2026-02-01")


def test_a_scan_for_deleted_rows_ends_no_window() -> None:
    scan = replace(window(None), facts=Facts(delete_scan=True))
    assert "may be missing" in remarks(keeping(scan, window("2026-01-01")), "2026-02-01")
    assert not remarks(keeping(scan, window("2026-01-01")), "2026-01-01")


def test_a_target_that_is_not_what_the_last_load_left_is_remarked_on() -> None:
    last = window("2026-01-01")
    assert "restored" in remarks(keeping(last, continuous=False), "2026-01-01")
    assert "older than the last load" in remarks(keeping(last, published=5), "2026-01-01")
    assert "restored" in remarks(keeping(), "2026-01-01")
    assert not remarks(keeping(continuous=False, published=None), "2026-01-01"), "the row's first load of it"
