"""A Spark server that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.spark import external
from airflow_dataloader.workspace.spark.external import ExternalSpark

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer


def test_it_is_there_and_stays(connect_server: ConnectServer) -> None:
    spark = ExternalSpark(connect_server.settings.remote)
    for seat in (spark.take_seat(), spark.adopt()):
        assert seat.remote == connect_server.settings.remote
        assert connect_server.settings.token not in repr(seat)
        seat.end(str(uuid4()))
    assert spark.describe() == ""
    spark.close()
    assert connect_server.pid is not None


def test_one_that_stays_away_is_not_taken_for_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "_PAUSES", (0.0,))
    with pytest.raises(EngineFailed):
        ExternalSpark("sc://localhost:1").take_seat().end(str(uuid4()))
