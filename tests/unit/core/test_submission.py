from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dataloader.core.submission import LONGEST_TOKEN, Submission, submit_token

INSTALLATION = "0123456789abcdef" * 2


def submission(**overrides: Any) -> Submission:
    values = {
        "installation": INSTALLATION,
        "metadata_id": 17,
        "epoch": 3,
        "token": "adl-1",
        "max_runtime_minutes": 90,
    }
    return Submission(**(values | overrides))


def test_parameters_carry_ids_and_nothing_else() -> None:
    payload = submission().payload
    (task,) = payload["tasks"]
    assert task["spark_python_task"]["parameters"] == ["17:3", f"--installation={INSTALLATION}"]
    assert task["spark_python_task"]["python_file"].endswith("/spark_tasks/load_table.py")
    assert payload["idempotency_token"] == "adl-1"
    assert payload["timeout_seconds"] == 5_400
    assert task["task_key"] == "load"
    assert len(json.dumps(payload)) < 1_000


@pytest.mark.parametrize("given", ["/Workspace/loader", "/Workspace/loader/"])
def test_the_task_file_lies_below_the_loaders_folder(given: str) -> None:
    (task,) = submission(loader_path=given).payload["tasks"]
    assert task["spark_python_task"]["python_file"] == "/Workspace/loader/spark_tasks/load_table.py"


def test_a_cluster_and_its_libraries_are_the_tasks() -> None:
    cluster = {"existing_cluster_id": "0101-abc", "libraries": [{"pypi": {"package": "psycopg"}}]}
    payload = submission(cluster=cluster).payload
    (task,) = payload["tasks"]
    assert task.items() >= cluster.items()
    assert "environments" not in payload


def test_a_serverless_environment_is_named_by_the_task() -> None:
    spec = {"environment_version": "5", "dependencies": ["psycopg"]}
    payload = submission(cluster={"environment": spec, "performance_target": "STANDARD"}).payload
    (task,) = payload["tasks"]
    assert payload["environments"] == [{"environment_key": task["environment_key"], "spec": spec}]
    assert payload["performance_target"] == "STANDARD"
    assert "environment" not in task


def test_a_token_is_one_loads_own_and_short_enough() -> None:
    tokens = {submit_token(INSTALLATION, load, epoch, "1") for load in (1, 11, 111) for epoch in (1, 11, 111)}
    assert len(tokens) == 9
    assert submit_token(INSTALLATION, 17, 3, "1").startswith(f"adl-{INSTALLATION}-17-3-")
    with_hyphens = "01234567-89ab-cdef-0123-456789abcdef"
    assert len(submit_token(with_hyphens, 10**10, 10**5, "1764460800.250001")) <= LONGEST_TOKEN
    long = [submit_token(with_hyphens, 10**18, epoch, "1") for epoch in (10**18, 10**18 + 1)]
    assert [len(token) for token in long] == [LONGEST_TOKEN] * 2
    assert long[0] != long[1]


def test_a_load_that_gets_the_ids_of_a_lost_one_has_a_token_of_its_own() -> None:
    first, restored = (submit_token(INSTALLATION, 17, 3, at) for at in ("1764460800.25", "1764464400.25"))
    assert first != restored
    assert first == submit_token(INSTALLATION, 17, 3, "1764460800.25")
