"""Ending what a broken load still runs."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import cast

import pytest

from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.sessions.protocol import SourceSession
from airflow_dataloader.loader.stop_reads import stop_reads


@pytest.mark.parametrize(
    ("cause", "level"), [(ValueError("broken"), logging.WARNING), (KeyboardInterrupt(), logging.INFO)]
)
def test_the_source_is_stopped_also_where_the_engine_cannot_be(
    caplog: pytest.LogCaptureFixture, cause: BaseException, level: int
) -> None:
    stopped = []

    def interrupt() -> None:
        raise OSError("the engine is gone")

    engine = cast("Engine", SimpleNamespace(interrupt=interrupt))
    session = cast("SourceSession", SimpleNamespace(cancel_reads=lambda: stopped.append("source")))
    with caplog.at_level(logging.INFO):
        stop_reads(engine, session, cause)
    assert stopped == ["source"]
    assert [(record.levelno, "the engine is gone" in record.message) for record in caplog.records] == [
        (level, True)
    ]
