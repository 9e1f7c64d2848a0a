"""The demo's own requests to a real workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader.exceptions import EngineFailed, TransientError
from airflow_dataloader.workspace.demo import row_digest
from airflow_dataloader.workspace.demo.comparison import WorkspaceDigests
from airflow_dataloader.workspace.demo.workspace_client import WorkspaceClient
from tests.integration.workspace.conftest import Start, Workspace

if TYPE_CHECKING:
    from tests.bench import Bench


def client_of(workspace: Workspace) -> WorkspaceClient:
    return WorkspaceClient(url=workspace.url, token=workspace.token)


def test_it_returns_when_the_run_has_succeeded(start: Start, tmp_path: Path) -> None:
    workspace = start()
    waits: list[None] = []

    def let_it_go() -> None:
        waits.append(None)
        (tmp_path / "go").touch()

    client_of(workspace).run("r", workspace.script, ["await", str(tmp_path / "go"), "0"], let_it_go)
    assert waits
    assert client_of(workspace).token not in repr(client_of(workspace))


def test_a_run_that_fails_says_so(start: Start) -> None:
    workspace = start()
    with pytest.raises(EngineFailed, match="Run 'r' of the workspace failed"):
        client_of(workspace).run("r", workspace.script, ["exit", "3"], lambda: None)


def test_a_lost_answer_makes_no_second_run(start: Start) -> None:
    workspace = start(faults=True)
    fault = {"kind": "lost_answer", "path": "runs/submit"}
    assert workspace.http.post("/faults", json={"faults": [fault]}).status_code == 200
    client_of(workspace).run("r", workspace.script, ["exit", "0"], lambda: None)
    assert len(workspace.http.get("/api/2.2/jobs/runs/list").json()["runs"]) == 1


def test_a_workspace_that_is_out_of_order_is_waited_for(start: Start) -> None:
    workspace = start(faults=True)
    faults = [{"kind": "status", "path": path, "status": 503} for path in ("runs/submit", "runs/get")]
    assert workspace.http.post("/faults", json={"faults": faults}).status_code == 200
    client_of(workspace).run("r", workspace.script, ["exit", "0"], lambda: None)
    assert workspace.http.get("/faults").json()["faults"] == []


def test_a_refusal_is_no_reason_to_wait(start: Start) -> None:
    workspace = start()
    stranger = WorkspaceClient(url=workspace.url, token="wrong")
    with pytest.raises(TransientError, match=r"refuses POST .* \(403\)"):
        stranger.run("r", workspace.script, [], lambda: None)


def test_digests_by_the_workspace_are_those_by_anybody(
    workspace: Workspace, bench: Bench, tmp_path: Path
) -> None:
    bench.source.execute("CREATE TABLE t AS SELECT i AS id, i * 1.50 AS price FROM generate_series(1, 9) i")
    bench.succeed(bench.row("t"))
    folder = bench.home / "warehouse" / "bronze" / bench.schema / "t"
    digests = WorkspaceDigests(
        workspace=client_of(workspace), file=tmp_path / "digests.json", pause=lambda: None
    )
    assert digests([folder]) == {folder: row_digest.source_digest(bench.source, "t")}
    assert digests([]) == {}
