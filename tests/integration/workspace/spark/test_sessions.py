"""Ending a session from outside, at a real Spark server."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from pyspark.errors import PySparkException

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.spark.connect import connect
from airflow_dataloader.workspace.spark.address import with_session
from airflow_dataloader.workspace.spark.sessions import answers, end_session
from tests.integration.engines.workshop import Attempt
from tests.integration.workspace.conftest import until

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer

#: Slow enough to be seen, and in tasks short enough to end soon after they are told to.
SLOW = "SELECT count(*) FROM range(0, 20000000000, 1, 400) WHERE hash(id) % 1000 = 7"


@pytest.fixture
def remote(connect_server: ConnectServer) -> str:
    return connect_server.settings.remote


def test_what_a_session_runs_ends_with_it(remote: str) -> None:
    session = str(uuid4())
    spark = connect(with_session(remote, session))
    with closing(spark.client):
        progress = []
        spark.registerProgressHandler(lambda **seen: progress.append(seen))
        attempt = Attempt(lambda: spark.sql(SLOW).collect())
        until(lambda: progress or attempt.ended)
        assert not attempt.ended
        end_session(remote, session)
        assert isinstance(attempt.join().error, PySparkException)
        with pytest.raises(PySparkException, match="SESSION_CLOSED"):
            spark.sql("SELECT 1").collect()


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
