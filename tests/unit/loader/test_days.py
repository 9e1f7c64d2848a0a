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
    column = PlannedColumn(
        source_name="a`b", name="a`b", select="x", wire=Wire.NATIVE, type=str(kind), source_type="x"
    )
    days = Days(column=column, type=kind, first=first, where="", missing="")
    assert slice_predicate(days) == predicate


def keeping(*commits: Commit, continuous: bool = True, published: int | None = 2) -> ActiveLoad:
    """A load that keeps older rows, over a target with these last commits, the newest first."""
    load = active_load(load_strategy="rolling", rolling_column="at", rolling_days=3, rolling_retention="keep")
    entries = tuple(HistoryEntry(table_version=3, commit=commit) for commit in commits)
    load.target = Target(version=3, columns={}, commits=entries, filled=True, continuous=continuous)
    load.started = replace(load.started, published_epoch=published)
    return load


def window(first: str | None) -> Commit:
    """The commit of three days that began with ``first``."""
    facts = Facts() if first is None else Facts(first_day=first, days=3)
    return Commit(app_id="adl:i:7", epoch=2, step=1, metadata_id=40, facts=facts)


def remarks(load: ActiveLoad, first: str) -> str:
    remark_on_gap(load, first)
    return " ".join(load.journal.receipt.notes)


@pytest.mark.parametrize(
    ("last", "first", "gap"),
    [
        ("2026-01-01", "2026-01-03", False),
        # The last load did not see the end of its own last day.
        ("2026-01-01", "2026-01-04", True),
        ("2026-01-01 00:00:00", "2026-02-01 00:00:00", True),
        # Clocks were set forward, or back, in between.
        ("2026-03-28 00:00:00+00", "2026-03-30 23:00:00+00", True),
        ("2026-03-28 00:00:00+00", "2026-03-29 23:00:00+00", False),
        ("2026-10-24 23:00:00+00", "2026-10-27 00:00:00+00", False),
        ("0001-01-01", "0001-01-01", False),
        # The column was a date then.
        ("2026-01-01", "2026-02-01 00:00:00+00", True),
        (None, "2026-02-01", False),
    ],
)
def test_days_that_no_window_has_seen_the_end_of_are_remarked_on(
    last: str | None, first: str, *, gap: bool
) -> None:
    said = remarks(keeping(window(last)), first)
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
    assert not remarks(keeping(scan, window("2026-01-01")), "2026-01-02")


def test_a_target_that_is_not_what_the_last_load_left_is_remarked_on() -> None:
    last = window("2026-01-01")
    assert "restored" in remarks(keeping(last, continuous=False), "2026-01-01")
    assert "older than the last load" in remarks(keeping(last, published=5), "2026-01-01")
    assert "restored" in remarks(keeping(), "2026-01-01")
    assert not remarks(keeping(continuous=False, published=None), "2026-01-01"), "the row's first load of it"
