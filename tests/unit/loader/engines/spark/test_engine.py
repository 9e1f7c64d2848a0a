"""Stopping the verbs that only read: a load that has lost its row must not wait for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.protocol import Stage
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.engines.spark.interrupts import Interrupts
from airflow_dataloader.loader.engines.spark.names import WarehouseNames
from airflow_dataloader.sources.registry import dialect_of
from tests.waiting import PATIENCE

TARGET = TargetName(catalog="bronze", schema="shop", table="items")
KEY = PlannedColumn(source_name="id", name="id", select="x", wire=Wire.NATIVE, type="int", source_type="int4")
STAGE = Stage(name=TARGET, columns=(KEY,), rows=1)


class Slow:
    """A session whose statements end when they are cancelled, and not before."""

    def __init__(self) -> None:
        self.running, self.cancelled = threading.Event(), threading.Event()
        kind = SimpleNamespace(simpleString=lambda: "int")
        self.schema = SimpleNamespace(fields=[SimpleNamespace(name="id", dataType=kind, metadata={})])

    def cancel(self) -> bool:
        self.cancelled.set()
        return True

    def sql(self, _: str) -> Slow:
        return self

    def table(self, _: str) -> Slow:
        return self

    def collect(self) -> list[Any]:
        self.running.set()
        if not self.cancelled.wait(PATIENCE):
            raise RuntimeError("It went on to its end.")
        raise RuntimeError("[OPERATION_CANCELED] Operation has been canceled.")

    count = collect


VERBS: dict[str, Callable[[SparkEngine], object]] = {
    "count": lambda engine: engine.count(TARGET),
    "count_keys": lambda engine: engine.count_keys(STAGE, ["id"]),
    "duplicates": lambda engine: engine.duplicates(STAGE, ["id"], 1),
    "null_keys": lambda engine: engine.null_keys(STAGE, ["id"], ["id"], 1),
    "compare_keys": lambda engine: engine.compare_keys(TARGET, STAGE, mark=False),
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_interrupt_ends_what_only_reads(verb: str, tmp_path: Path) -> None:
    spark = Slow()
    context = Context(
        spark=cast("Any", spark),
        interrupts=Interrupts(spark.cancel),
        names=WarehouseNames(tmp_path),
        dialect=dialect_of,
    )
    engine = SparkEngine(context, lambda: None)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(VERBS[verb], engine)
        assert spark.running.wait(PATIENCE)
        engine.interrupt()
        with pytest.raises(EngineFailed, match="was interrupted"):
            reading.result(timeout=PATIENCE)
