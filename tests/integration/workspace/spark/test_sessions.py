"""Ending a session from outside; jobs/test_execution.py does it to a write that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.spark.connect import connect
from airflow_dataloader.workspace.spark.address import with_session
from airflow_dataloader.workspace.spark.sessions import answers, end_session

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer


@pytest.fixture
def remote(connect_server: ConnectServer) -> str:
    return connect_server.settings.remote


def test_a_session_that_is_gone_or_never_was_is_ended(remote: str) -> None:
    session = str(uuid4())
    end_session(remote, session)
    end_session(remote, session)
    own = str(uuid4())
    spark = connect(with_session(remote, own))
    assert spark.range(3).count() == 3
    spark.stop()
    end_session(remote, own)


def test_another_session_goes_on(remote: str) -> None:
    spark = connect(with_session(remote, str(uuid4())))
    end_session(remote, str(uuid4()))
    assert spark.range(3).count() == 3
    spark.stop()


def test_a_server_answers_or_does_not(remote: str) -> None:
    assert answers(remote)
    assert not answers(f"{remote}x", seconds=5)
    assert not answers("sc://localhost:1", seconds=5)


def test_no_answer_is_not_taken_for_an_end() -> None:
    with pytest.raises(EngineFailed, match="did not answer Interrupt: UNAVAILABLE"):
        end_session("sc://localhost:1", str(uuid4()), seconds=5)
