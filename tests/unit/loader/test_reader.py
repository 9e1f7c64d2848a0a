"""Whoever reads a row's source, with what it has found out there."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.loader.active_loads import active_load, target


def test_a_target_that_nobody_has_looked_at_has_no_partitions() -> None:
    load = active_load()
    assert load.partitioned_by == ()
    load.target = replace(target(filled=True), partitioned_by=("day",))
    assert load.partitioned_by == ("day",)
