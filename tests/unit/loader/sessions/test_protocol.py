"""What a load sees of its source."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind


@pytest.mark.parametrize(("kind", "shared"), [(SnapshotKind.EXPORTED, True), (SnapshotKind.NONE, False)])
def test_a_snapshot_with_a_name_need_not_reach_all_that_is_read(kind: SnapshotKind, *, shared: bool) -> None:
    assert Snapshot(kind=kind, id="00000003-1").shared is shared
