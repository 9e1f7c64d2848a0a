"""Where a window's load begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.engines.protocol import HistoryEntry
from airflow_dataloader.loader.load_window import beginning, beginning_of_merge
from tests.unit.loader.active_loads import active_load, target

REACHED = "2026-01-01 00:00:00+00"


class Holding:
    """An engine whose target holds several rows of these keys."""

    def __init__(self, *keys: tuple[str, ...]) -> None:
        self._keys = keys

    def duplicates(self, side: object, keys: Sequence[str], limit: int) -> list[tuple[str, ...]]:
        return list(self._keys[:limit])


def loaded(*facts: Facts, engine: Any = None, **snapshot: Any) -> ActiveLoad:
    """A load that may go on from a watermark, over what loads with these facts have left."""
    reached = active_load().config.watermark_hash
    load = active_load(engine=engine, **{"incremental_value": REACHED, "watermark_of": reached, **snapshot})
    column = PlannedColumn(
        source_name="id", name="id", select="id", wire=Wire.NATIVE, type="int", source_type="integer"
    )
    load.columns = (column,)
    load.target = replace(
        target(filled=True),
        commits=tuple(
            HistoryEntry(
                table_version=9 - number,
                commit=Commit(
                    app_id="adl:i:7",
                    epoch=9 - number,
                    step=1,
                    metadata_id=40,
                    facts=replace(fact, strategy=fact.strategy or "incremental", watermark_hash=reached),
                ),
            )
            for number, fact in enumerate(facts)
        ),
    )
    return load


def test_load_full_begins_at_the_beginning() -> None:
    load = active_load(load_full="true", incremental_value=REACHED)
    load.target = target(filled=True)
    assert beginning(load) is None


def test_a_load_goes_on_from_the_row_s_watermark() -> None:
    load = active_load(incremental_value=REACHED)
    load.target = target(filled=True)
    assert beginning(load) == REACHED


def test_a_load_that_goes_on_after_a_full_one_asks_for_repeated_keys() -> None:
    load = loaded(Facts(strategy="full"), engine=Holding(("1",)))
    with pytest.raises(ConfigurationError, match=r"several rows of one key \(id = '1'\)") as refusal:
        beginning_of_merge(load)
    assert refusal.value.field == "primary_key_cols"


@pytest.mark.parametrize("facts", [[], [Facts(strategy="append_only")]])
def test_a_watermark_that_a_person_set_says_nothing_of_keys(facts: list[Facts]) -> None:
    load = loaded(*facts, engine=Holding(("1",)), watermark_of=None)
    with pytest.raises(ConfigurationError, match="several rows of one key"):
        beginning_of_merge(load)


def test_nor_of_those_of_a_table_that_was_put_in_the_place_of_another() -> None:
    load = loaded(Facts(), engine=Holding(("1",)), watermark_of=None)
    assert beginning_of_merge(load) == REACHED
    assert load.target is not None
    load.target = replace(load.target, continuous=False)
    with pytest.raises(ConfigurationError, match="several rows of one key"):
        beginning_of_merge(load)


def test_a_merge_has_left_no_key_twice() -> None:
    load = loaded(
        Facts(window=Bounds(low="x", watermark=REACHED)), Facts(strategy="full"), engine=Holding(("1",))
    )
    assert beginning_of_merge(load) == REACHED


@pytest.mark.parametrize("later", [[], [Facts(delete_scan=True)]])
def test_a_load_that_saw_no_cursor_leaves_no_watermark_to_go_on_from(later: list[Facts]) -> None:
    load = loaded(*later, Facts(window=Bounds()))
    assert beginning(load) is None
    assert "No row had a cursor" in load.journal.receipt.notes[-1]


@pytest.mark.parametrize(
    "facts",
    [
        Facts(window=Bounds(high=REACHED, watermark=REACHED)),
        # Of a load that did not succeed: the row's watermark is one from before it, of the same rows.
        Facts(window=Bounds(low=REACHED, watermark="x")),
        Facts(strategy="full"),
    ],
)
def test_a_watermark_that_was_reached_is_gone_on_from(facts: Facts) -> None:
    assert beginning(loaded(facts)) == REACHED


@pytest.mark.parametrize(("policy", "goes_on"), [("null", True), ("fail", False), ("string", False)])
def test_values_that_became_null_are_not_left_so_by_another_policy(policy: str, *, goes_on: bool) -> None:
    load = loaded(Facts(values_replaced=True), value_policy=policy)
    assert (beginning(load) == REACHED) is goes_on
    assert ("became NULL" in " ".join(load.journal.receipt.notes)) is not goes_on


@pytest.mark.parametrize("also", [Facts(), Facts(read_version=(3, "digest"))])
def test_what_was_read_from_the_beginning_up_to_elsewhere_is_not_gone_on_from(also: Facts) -> None:
    load = loaded(replace(also, window=Bounds(high="x", watermark="x")))
    assert beginning(load) is None
    assert (
        "up to another watermark than the row's; everything was read again." in load.journal.receipt.notes[-1]
    )
