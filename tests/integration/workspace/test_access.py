"""Who may ask what."""

from __future__ import annotations

import pytest

from tests.integration.workspace.conftest import Start, Workspace

ROUTES = [
    ("POST", "/api/2.2/jobs/runs/submit"),
    ("GET", "/api/2.2/jobs/runs/get?run_id=1"),
    ("GET", "/api/2.2/jobs/runs/get-output?run_id=1"),
    ("POST", "/api/2.2/jobs/runs/cancel"),
    ("GET", "/api/2.2/jobs/runs/list"),
    ("GET", "/api/2.1/jobs/runs/list"),
    ("GET", "/api/2.0/secrets/get?scope=a&key=b"),
    ("GET", "/faults"),
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("GET", "/runs/1"),
    ("GET", "/nothing"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
]


@pytest.fixture
def workspace(start: Start) -> Workspace:
    return start(faults=True)


def test_nothing_is_said_to_strangers(workspace: Workspace) -> None:
    client = workspace.http
    del client.headers["Authorization"]
    for method, path in ROUTES:
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED"), path
        for wrong in ("Bearer x", "Bearer ü", f"Bearer {workspace.state.owner_token}x"):
            answer = client.request(method, path, headers={"Authorization": wrong.encode()})
            assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), path


def test_basic_authentication_shows_pages_and_does_nothing(workspace: Workspace) -> None:
    run_id = workspace.submit("fail", "<b>")
    workspace.wait(run_id)
    client = workspace.http
    del client.headers["Authorization"]
    answer = client.get(f"/runs/{run_id}")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Basic realm="dataloader workspace"',
    )
    login = ("token", workspace.state.owner_token)
    page = client.get(f"/runs/{run_id}", auth=login)
    assert page.status_code == 200
    assert "&lt;b&gt;" in page.text
    assert "<b>" not in page.text
    assert client.get("/runs/1", auth=login).status_code == 400
    assert client.get("/runs/1", headers={"Authorization": "Basic x"}).status_code == 401
    for method, path in (("POST", "/api/2.2/jobs/runs/cancel"), ("POST", "/runs/1")):
        assert client.request(method, path, auth=login).status_code == 401


def test_a_run_reads_secrets_with_a_token_of_its_own_and_nothing_else(workspace: Workspace) -> None:
    workspace.state.secrets.put("vault", "password", "hunter22")
    script = workspace.script.with_name("reads.py")
    script.write_text(
        "import json, os, time, urllib.request\n"
        "def ask(path):\n"
        "    headers = {'Authorization': 'Bearer ' + os.environ['DATABRICKS_TOKEN']}\n"
        "    request = urllib.request.Request(os.environ['DATABRICKS_HOST'] + path, headers=headers)\n"
        "    try:\n"
        "        return urllib.request.urlopen(request).status\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
        "print(ask('/api/2.0/secrets/get?scope=vault&key=password'), ask('/api/2.2/jobs/runs/list'))\n"
        "print(os.environ['DATABRICKS_TOKEN'], 'hunter22')\n"
    )
    task = {"task_key": "t", "spark_python_task": {"python_file": str(script)}}
    run_id = workspace.submit_body({"tasks": [task]})
    assert workspace.wait(run_id)["state"]["result_state"] == "SUCCESS", workspace.output(run_id)
    first, second = workspace.output(run_id)["logs"].splitlines()
    assert first == "200 403"
    token, secret = second.split()
    assert secret == "***"
    late = workspace.http.get(
        "/api/2.0/secrets/get?scope=vault&key=password", headers={"Authorization": f"Bearer {token}"}
    )
    assert late.status_code == 403
