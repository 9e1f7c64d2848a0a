"""Ending what a broken load still runs."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import cast

import pytest

from airflow_dataloader.loader.context import LoaderContext
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

    context = cast("LoaderContext", SimpleNamespace(engine=SimpleNamespace(interrupt=interrupt)))
    with caplog.at_level(logging.INFO):
        stop_reads(context, lambda: stopped.append("source"), cause)
    assert stopped == ["source"]
    assert [(record.levelno, "the engine is gone" in record.message) for record in caplog.records] == [
        (level, True)
    ]
