"""The trigger as Airflow stores it."""

from __future__ import annotations

import inspect
import json
from typing import Any

from airflow.serialization.serialized_objects import BaseSerialization

from airflow_dataloader.triggers.load import LoadTrigger

ARGUMENTS: dict[str, Any] = {
    "metadata_id": 17,
    "claimed_at": "1764460800.25",
    "run_id": 4,
    "control_conn_id": "dataloader_control",
    "databricks_conn_id": "databricks_default",
    "poll_seconds": 10,
    "hold_seconds": 10,
    "airflow_task": "0198/1",
    "task_address": {
        "dag_id": "dataloader_load",
        "airflow_run": "scheduled__1",
        "task_id": "load",
        "map_index": 3,
    },
}


def test_it_comes_back_equal_from_primitives() -> None:
    path, stored = LoadTrigger(**ARGUMENTS).serialize()
    assert path == "airflow_dataloader.triggers.load.LoadTrigger"
    assert stored == ARGUMENTS
    again = BaseSerialization.deserialize(json.loads(json.dumps(BaseSerialization.serialize(stored))))
    assert LoadTrigger(**again).serialize() == (path, stored)


def test_every_argument_is_stored() -> None:
    """An upgrade must be able to read what an older version has stored: names are for ever."""
    asked = set(inspect.signature(LoadTrigger.__init__).parameters) - {"self"}
    assert set(LoadTrigger(**ARGUMENTS).serialize()[1]) == asked
