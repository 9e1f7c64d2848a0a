"""The claim's order and limits against a model that sorts everything, over random tables."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from airflow_dataloader.control.claim import claim
from tests.factories import add_source
from tests.integration.control.drive import due_row, sql

_SOURCES = ("a", "b", "c", "d", "e")


class Due(NamedTuple):
    """A row that is due: its source's place, its priority, and its slot, of which many are the same."""

    source: int
    priority: int
    slot: int


_DUE = st.builds(Due, st.integers(0, len(_SOURCES) - 1), st.integers(-1, 2), st.integers(0, 6))
_TABLES = st.lists(_DUE, min_size=1, max_size=40)
_LIMITS = st.lists(st.integers(1, 4), min_size=len(_SOURCES), max_size=len(_SOURCES))


def model(rows: list[tuple[int, Due]], room: dict[int, int], wanted: int) -> list[int]:
    """Return the ids that a claim takes: one after another, as long as the source has room."""
    taken: list[int] = []
    used: Counter[int] = Counter()
    for config_id, row in sorted(rows, key=lambda item: (-item[1].priority, item[1].slot, item[0])):
        if len(taken) < wanted and used[row.source] < room[row.source]:
            used[row.source] += 1
            taken.append(config_id)
    return taken


def fill(engine: Engine, rows: list[Due], limits: list[int]) -> list[tuple[int, Due]]:
    """Empty the tables, and fill them with these rows."""
    sql(engine, "TRUNCATE control.table_control_dbconfig, control.table_control CASCADE")
    for name, limit in zip(_SOURCES, limits, strict=True):
        add_source(engine, name, max_concurrent_loads=limit)
    return [
        (
            due_row(
                engine,
                db_config_key=_SOURCES[row.source],
                priority=row.priority,
                next_load_date_time=f"2026-01-0{1 + row.slot}",
            ),
            row,
        )
        for row in rows
    ]


# One database for all examples: each fills it anew.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_TABLES, limits=_LIMITS, wanted=st.integers(1, 12))
def test_claims_take_what_the_model_takes_until_nothing_is_left(
    control: Engine, rows: list[Due], limits: list[int], wanted: int
) -> None:
    waiting = fill(control, rows, limits)
    room = dict(enumerate(limits))
    for _ in range(4):
        claimed = [
            load.config_id
            for load in claim(control, airflow_run=uuid4().hex, batch_size=wanted, max_concurrent=1_000)
        ]
        assert claimed == model(waiting, room, wanted)
        by_id = dict(waiting)
        for config_id in claimed:
            room[by_id[config_id].source] -= 1
        waiting = [item for item in waiting if item[0] not in claimed]
