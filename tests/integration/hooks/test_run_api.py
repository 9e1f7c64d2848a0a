"""The Jobs API as reap asks it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook

from airflow_dataloader.core.run_api import Run, RunApiUnavailable, RunState
from airflow_dataloader.hooks.run_api import DatabricksRunApi
from tests.airflow_db import Connections
from tests.airflow_stand import SCRIPT, Workspace, workspace_at
from tests.no_spark import NoSpark

UNKNOWN = Run(state=RunState.UNKNOWN)


@pytest.fixture
def workspace(tmp_path: Path, connections: Connections) -> Iterator[Workspace]:
    with workspace_at(tmp_path, NoSpark()) as running:
        connections.databricks(running.url, running.token)
        yield running


@pytest.fixture
def run_id(workspace: Workspace, tmp_path: Path) -> str:
    script = tmp_path / "task.py"
    script.write_text(SCRIPT)
    return str(workspace.submit(script, "sleep", "600"))


def test_a_run_is_known_and_can_be_cancelled(workspace: Workspace, run_id: str) -> None:
    api = DatabricksRunApi("databricks_default")
    assert api.state(None, run_id).state in {RunState.PENDING, RunState.RUNNING}
    for _ in range(2):
        api.cancel(workspace.url, run_id)
    while (run := api.state(workspace.url, run_id)).state is not RunState.ENDED:
        pass
    assert (run.cancelled, run.reason) == (True, "CANCELED: Run cancelled.")


def test_a_run_that_its_own_workspace_does_not_know_is_gone(workspace: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "task.py"
    script.write_text(SCRIPT)
    workspace.order("lost_run")
    lost = str(workspace.submit(script, "sleep", "0"))
    api = DatabricksRunApi("databricks_default")
    assert api.state(workspace.url, lost) == Run(state=RunState.GONE)
    api.cancel(workspace.url, lost)
    # Whose it is, nobody knows.
    assert api.state(None, lost) == UNKNOWN


@pytest.mark.parametrize("status", [400, 404])
def test_another_refusal_does_not_say_that_a_run_is_gone(
    workspace: Workspace, run_id: str, status: int
) -> None:
    workspace.order("status", path="runs/get", status=status)
    assert DatabricksRunApi("databricks_default").state(workspace.url, run_id) == UNKNOWN


def test_what_is_not_ours_or_not_there_is_unknown(workspace: Workspace, run_id: str) -> None:
    api = DatabricksRunApi("databricks_default")
    assert api.state("adb-1.azuredatabricks.net", run_id) == UNKNOWN
    api.cancel("adb-1.azuredatabricks.net", run_id)
    assert api.state(None, run_id) != UNKNOWN
    assert api.state(None, "4711") == UNKNOWN
    api.cancel(None, "4711")
    assert api.state(None, "not a number") == UNKNOWN


def test_an_api_that_cannot_be_asked_says_so(
    workspace: Workspace, run_id: str, connections: Connections
) -> None:
    connections.databricks(workspace.url, "wrong token")
    with pytest.raises(RunApiUnavailable, match=r"HTTP status 40[13]"):
        DatabricksRunApi("databricks_default").state(None, run_id)
    with pytest.raises(RunApiUnavailable):
        DatabricksRunApi("no_such_connection").state(None, run_id)
    connections.databricks("http://127.0.0.1:9", "token")
    with pytest.raises(RunApiUnavailable):
        DatabricksRunApi("databricks_default").cancel(None, run_id)


def test_a_token_with_a_line_end_is_not_told_with_the_error(
    workspace: Workspace, run_id: str, connections: Connections
) -> None:
    """As it is copied from a file. What refuses to send it quotes the whole header."""
    connections.databricks(workspace.url, f"{workspace.token}\n")
    with pytest.raises(RunApiUnavailable) as caught:
        DatabricksRunApi("databricks_default").cancel(None, run_id)
    assert workspace.token not in "".join(traceback.format_exception(caught.value))


def test_an_error_of_this_program_is_no_outage(
    workspace: Workspace, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(DatabricksHook, "get_run", broken)
    with pytest.raises(TypeError, match="a bug"):
        DatabricksRunApi("databricks_default").state(None, run_id)


def test_an_api_that_does_not_answer_in_json_says_so(
    run_id: str, connections: Connections, tmp_path: Path
) -> None:
    """A gateway's page, say."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    page = tmp_path / "api" / "2.2" / "jobs" / "runs" / "get"
    page.parent.mkdir(parents=True)
    page.write_text("<html>")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connections.databricks(f"http://127.0.0.1:{server.server_port}", "token")
        with pytest.raises(RunApiUnavailable, match="JSONDecodeError"):
            DatabricksRunApi("databricks_default").state(None, run_id)
        server.shutdown()


def test_an_api_that_keeps_silent_is_asked_once(workspace: Workspace, run_id: str) -> None:
    workspace.order("latency", path="runs/get", seconds=60)
    with pytest.raises(RunApiUnavailable):
        DatabricksRunApi("databricks_default", timeout_seconds=1).state(None, run_id)
    assert DatabricksRunApi("databricks_default").state(None, run_id) != UNKNOWN
