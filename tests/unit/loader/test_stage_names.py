"""Whose a stage is, by its name."""

from __future__ import annotations

import pytest

from airflow_dataloader.control.stages import StageOwner
from airflow_dataloader.core.commit import loader_mark
from airflow_dataloader.loader.stage_names import backfill_stage_name, stage_owner
from tests.unit.loader.active_loads import active_load


def test_a_stage_s_name_tells_whose_it_is() -> None:
    own = active_load().stage_name
    mark = loader_mark(active_load().started.nonce)
    assert stage_owner(own.table) == StageOwner(installation="ffffffff", backfill=False, id=41, loader=mark)
    before = own.table.removesuffix(f"_{mark}")
    assert stage_owner(before) == StageOwner(installation="ffffffff", backfill=False, id=41)
    plan = backfill_stage_name(own, "f" * 32, 9)
    assert stage_owner(plan.table) == StageOwner(installation="ffffffff", backfill=True, id=9)


@pytest.mark.parametrize(
    "name",
    [
        "_adl_stage_1",
        "_adl_stage_fffffff_1",
        "_adl_stage_ffffffff_",
        "_adl_stage_ffffffff_0",
        "_adl_stage_ffffffff_b",
        "_adl_stage_ffffffff_c1",
        "_adl_stage_ffffffff_1_kept",
        "_adl_stage_ffffffff_99999999999999999999",
        "orders",
    ],
)
def test_no_other_table_is_taken_for_a_stage_of_ours(name: str) -> None:
    assert stage_owner(name) is None
