"""The workspace's API, asked by two clients that others wrote."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service.jobs import RunLifecycleStateV2State, SparkPythonTask, SubmitTask

from tests.integration.workspace.conftest import Start, Workspace
from tests.waiting import until

if TYPE_CHECKING:
    from airflow.providers.databricks.hooks.databricks import DatabricksHook


def sdk_task(workspace: Workspace, *parameters: str) -> SubmitTask:
    script = SparkPythonTask(python_file=str(workspace.script), parameters=list(parameters))
    return SubmitTask(task_key="t", spark_python_task=script)


class TestSdk:
    def test_submits_and_waits(self, workspace: Workspace, sdk: WorkspaceClient) -> None:
        run = sdk.jobs.submit(run_name="by the SDK", tasks=[sdk_task(workspace, "sleep", "0")]).result()
        assert run.run_name == "by the SDK"
        assert run.as_dict()["state"] == {
            "life_cycle_state": "TERMINATED",
            "result_state": "SUCCESS",
            "state_message": "",
            "user_cancelled_or_timedout": False,
        }
        assert run.start_time
        assert run.end_time
        assert run.end_time >= run.start_time

    def test_reads_output_of_a_failed_task(self, workspace: Workspace, sdk: WorkspaceClient) -> None:
        run_id = sdk.jobs.submit(tasks=[sdk_task(workspace, "fail", "no", "such", "row")]).response.run_id
        run = sdk.jobs.get_run(run_id)
        workspace.wait(run.run_id or 0)
        run = sdk.jobs.get_run(run_id)
        assert run.status is not None
        assert run.status.termination_details is not None
        assert run.status.termination_details.as_dict()["code"] == "RUN_EXECUTION_ERROR"
        assert run.tasks is not None
        output = sdk.jobs.get_run_output(run.tasks[0].run_id or 0)
        assert output.error == "ValueError: no such row"
        assert output.error_trace is not None
        assert output.error_trace.startswith("Traceback")
        assert output.logs is not None
        assert output.logs.startswith("task fail no such row\n")

    def test_cancels(self, workspace: Workspace, sdk: WorkspaceClient) -> None:
        run_id = sdk.jobs.submit(tasks=[sdk_task(workspace, "sleep", "600")]).response.run_id
        workspace.said(run_id, "task sleep")
        run = sdk.jobs.cancel_run(run_id).result()
        assert run.state is not None
        assert run.state.as_dict()["result_state"] == "CANCELED"
        assert run.status is not None
        assert run.status.state is RunLifecycleStateV2State.TERMINATED

    def test_lists_page_by_page(self, workspace: Workspace, sdk: WorkspaceClient) -> None:
        runs = [workspace.submit("sleep", "0") for _ in range(7)]
        found = [run.run_id for run in sdk.jobs.list_runs(limit=3)]
        assert found[:7] == runs[::-1]
        for run_id in runs:
            workspace.wait(run_id)
        assert not set(runs) & {run.run_id for run in sdk.jobs.list_runs(active_only=True)}

    def test_reads_secrets(self, workspace: Workspace, sdk: WorkspaceClient) -> None:
        workspace.state.secrets.put("Shop", "user", "käthe\n")
        answer = sdk.secrets.get_secret("shop", "USER")
        assert base64.b64decode(answer.value or "").decode() == "käthe\n"
        for scope, key in (("shop", "none"), ("none", "user")):
            with pytest.raises(ResourceDoesNotExist):
                sdk.secrets.get_secret(scope, key)

    def test_knows_its_errors(self, workspace: Workspace, sdk: WorkspaceClient) -> None:
        with pytest.raises(ResourceDoesNotExist, match="Run 17 does not exist"):
            sdk.jobs.get_run(17)
        with pytest.raises(InvalidParameterValue, match="begins with '/'"):
            sdk.jobs.submit(
                tasks=[SubmitTask(task_key="t", spark_python_task=SparkPythonTask(python_file="a.py"))]
            )
        stranger = WorkspaceClient(host=workspace.url, token="dapi0")
        with pytest.raises(PermissionDenied):
            stranger.jobs.get_run(17)


class TestHook:
    def body(self, workspace: Workspace, *parameters: str, **more: Any) -> dict[str, Any]:
        return {"run_name": "by the hook", "tasks": [workspace.task(*parameters)], **more}

    def test_submits_and_reads_state_and_output(self, workspace: Workspace, hook: DatabricksHook) -> None:
        run_id = hook.submit_run(self.body(workspace, "fail", "broken"))
        assert hook.get_run_page_url(run_id) == f"{workspace.url}/runs/{run_id}"
        until(lambda: hook.get_run_state(run_id).is_terminal)
        state = hook.get_run_state(run_id)
        assert (state.life_cycle_state, state.result_state) == ("INTERNAL_ERROR", "FAILED")
        (task,) = hook.get_run_tasks(run_id)
        assert hook.get_run_output(task["run_id"])["error"] == "ValueError: broken"

    def test_takes_the_older_shape_and_numbers_as_texts(
        self, workspace: Workspace, hook: DatabricksHook
    ) -> None:
        task = workspace.task("sleep", "0")["spark_python_task"]
        run_id = hook.submit_run(
            {"run_name": "old", "spark_python_task": task, "timeout_seconds": "60", "new_cluster": {"x": "1"}}
        )
        until(lambda: hook.get_run_state(run_id).is_terminal)
        assert hook.get_run_state(run_id).is_successful

    def test_cancels(self, workspace: Workspace, hook: DatabricksHook) -> None:
        run_id = hook.submit_run(self.body(workspace, "sleep", "600"))
        workspace.said(run_id, "task sleep")
        hook.cancel_run(run_id)
        until(lambda: hook.get_run_state(run_id).is_terminal)
        assert hook.get_run_state(run_id).result_state == "CANCELED"
        hook.cancel_run(run_id)

    def test_asks_asynchronously(self, workspace: Workspace, hook: DatabricksHook) -> None:
        async def ask() -> tuple[Any, ...]:
            async with hook:
                return (
                    await hook.a_get_run(run_id),
                    await hook.a_get_run_state(run_id),
                    await hook.a_get_run_output(run_id),
                    await hook.a_get_run_page_url(run_id),
                )

        run_id = hook.submit_run(self.body(workspace, "sleep", "0"))
        workspace.wait(run_id)
        run, state, output, url = asyncio.run(ask())
        assert run["run_id"] == run_id
        assert state.is_successful
        assert output["logs"].startswith("task sleep")
        assert url == f"{workspace.url}/runs/{run_id}"

    def test_gets_a_run_of_many_tasks_page_by_page(self, workspace: Workspace, hook: DatabricksHook) -> None:
        first = workspace.task("fail", "early", key="first")
        rest = [
            workspace.task("sleep", "0", key=f"t{number}", depends_on=[{"task_key": "first"}])
            for number in range(99)
        ]
        run_id = hook.submit_run({"tasks": [first, *rest]})
        until(lambda: hook.get_run_state(run_id).is_terminal)
        assert len(hook.get_run(run_id)["tasks"]) == 100
        states = [task["state"].get("result_state") for task in hook.get_run(run_id)["tasks"]]
        assert states == ["FAILED"] + ["UPSTREAM_FAILED"] * 99


def test_what_is_no_route_is_said_in_databricks_words(workspace: Workspace) -> None:
    answer = workspace.http.get("/api/2.0/nothing")
    assert answer.status_code == 404
    assert answer.json() == {
        "error_code": "ENDPOINT_NOT_FOUND",
        "message": "No API found for 'GET /api/2.0/nothing'",
    }


def test_what_is_no_json_is_refused(workspace: Workspace) -> None:
    for content in (b"{", b"[]", json.dumps("x").encode()):
        answer = workspace.http.post("/api/2.2/jobs/runs/submit", content=content)
        assert answer.status_code == 400
        assert answer.json().keys() == {"error_code", "message"}


def test_what_cannot_be_kept_is_refused_and_harms_no_list(start: Start) -> None:
    workspace = start()
    whole = json.dumps({"run_name": "WHAT", "tasks": [workspace.task("sleep", "0")]})
    for what in (
        r'"\ud800"',
        r'"x", "idempotency_token": "\udfff"',
        '"x", "timeout_seconds": 1e999',
        '"x", "more": [NaN, -Infinity]',
        '"x", "more": ' + "[" * 100_000 + "]" * 100_000,
        '"x", "more": ' + "[" * 400 + "]" * 400,
    ):
        answer = workspace.http.post(
            "/api/2.2/jobs/runs/submit", content=whole.replace('"WHAT"', what).encode()
        )
        assert answer.status_code == 400, what[:40]
        assert answer.json().keys() == {"error_code", "message"}
    for path in (f"/runs/{2**63}", "/runs/abc"):
        answer = workspace.http.get(path)
        assert answer.status_code == 400, path
        assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert workspace.http.get("/api/2.2/jobs/runs/list").json() == {"has_more": False}
