"""Taking the target by a load that does not hold its row any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.control.lease import Attempt
from airflow_dataloader.core.commit import Commit
from airflow_dataloader.exceptions import LeaseLost
from airflow_dataloader.loader.target import take_target
from tests.unit.loader.active_loads import active_load


class NoTable:
    """As much of an engine as finds no table, and makes one by a fence."""

    def __init__(self) -> None:
        self.fences: list[Commit] = []

    def inspect(self, *_: object, **__: object) -> None:
        """Find nothing."""

    def fence(self, target: object, columns: object, commit: Commit, **_: object) -> int:
        self.fences.append(commit)
        return len(self.fences)


@pytest.mark.parametrize("config_id", [7, 8])
def test_a_load_that_was_overtaken_fences_nothing(config_id: int) -> None:
    engine = NoTable()
    load = active_load(engine=engine, lost=True)
    attempt = Attempt(metadata_id=40, config_id=config_id, epoch=2, nonce="n", low=None, content_hash="")
    load.started = replace(load.started, uncertain=(attempt,))
    with pytest.raises(LeaseLost):
        take_target(load)
    assert engine.fences == []
