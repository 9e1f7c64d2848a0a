"""A table that was made without times without a zone, and gets one."""

from __future__ import annotations

from datetime import datetime

import pytest

from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import Workshop, commit

OLD, NEW = {"id": "int"}, {"id": "int", "at": "timestamp_ntz"}
ROW = (2, datetime(2026, 3, 29, 2, 30))


@pytest.mark.parametrize("verb", ["overwrite", "append", "merge", "replace_slice"])
def test_a_first_column_of_that_type_is_taken_by_every_write(workshop: Workshop, verb: str) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, OLD, [(1,)])
    rows = engine.read(workshop.plan(NEW, [ROW]))
    match verb:
        case "overwrite":
            engine.overwrite(target, rows, commit(2))
        case "append":
            engine.append(target, rows, commit(2))
        case "replace_slice":
            engine.replace_slice(target, rows, "id = 2", commit(2))
        case "merge":
            dedup = Deduplication(keys=("id",), cursor="at")
            engine.merge(target, workshop.stage(NEW, [ROW], dedup), commit(2), dedup)
    assert ROW in workshop.rows(target)
    assert len(workshop.rows(target)) == (1 if verb == "overwrite" else 2)
