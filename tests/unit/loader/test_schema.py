"""What a load says of columns that it finds; what it does to them is tested with a real engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.protocol import Target
from airflow_dataloader.loader.schema import decide_schema
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.unit.loader.active_loads import active_load

BACK = "At the source again: Name."


def notes(*gone: str, columns: tuple[str, ...] = ("id", "updated_at", "Name"), **snapshot: Any) -> str:
    """Return the remarks of a load whose predecessor found these columns of the target gone."""
    load = active_load(**snapshot)
    load.started = replace(load.started, last_receipt={"columns_gone": list(gone)})
    load.described = tuple(DescribedColumn(name=name, base="text", declared="text") for name in columns)
    load.columns = plan_columns(load.described, ValuePolicy.FAIL).columns
    held = {"id": "string", "updated_at": "string", "name": "string"}
    load.target = Target(version=3, columns=held, commits=(), filled=True, continuous=True)
    decide_schema(load)
    return " ".join(load.journal.receipt.notes)


@pytest.mark.parametrize("policy", ["evolve", "freeze", "ignore"])
def test_a_column_that_was_gone_and_is_there_again_is_named(policy: str) -> None:
    assert BACK in notes("name", schema_policy=policy)


def test_what_was_never_gone_or_is_gone_still_is_not() -> None:
    assert notes() == ""
    assert notes("name", columns=("id", "updated_at")) == ""


def test_where_older_days_stay_no_load_is_advised_that_takes_them_away() -> None:
    keep: dict[str, Any] = {"load_strategy": "rolling", "rolling_days": 3, "rolling_retention": "keep"}
    keep |= {"rolling_column": "updated_at", "primary_key_cols": ""}
    said = notes("name", columns=("id", "updated_at", "Name", "new"), **keep)
    assert BACK in said
    assert "NULL in new." in said
    assert "load_full" not in said


@pytest.mark.parametrize("other", [{"load_full": "true"}, {"load_strategy": "full"}])
def test_a_load_that_reads_everything_anew_need_not_say_it(other: dict[str, Any]) -> None:
    assert notes("name", **other) == ""


@pytest.mark.parametrize("name", ["_metadata", "_Row_Id_"])
def test_a_column_by_a_name_that_delta_needs_in_a_merge_is_refused(name: str) -> None:
    columns = ("id", "updated_at", name)
    with pytest.raises(SchemaRefused, match=name) as refused:
        notes(columns=columns)
    assert "AS in query" in (refused.value.fix or "")
    for merges_not in ("full", "append_only"):
        notes(columns=columns, load_strategy=merges_not)
    # The target lacks it, and so does the merge.
    notes(columns=columns, schema_policy="ignore")
