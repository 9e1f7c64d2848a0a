"""Secrets over HTTP, from a server that answers as it is told."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_dataloader.exceptions import ConfigurationError, TransientError
from airflow_dataloader.loader import rest_secrets
from airflow_dataloader.loader.rest_secrets import RestSecrets
from airflow_dataloader.loader.secrets import default_secrets

TOKEN = "dapi-very-secret"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_secrets, "_PAUSES", (0.0, 0.0))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")


#: Body of an answer that breaks off in its middle.
CUT = object()


@contextmanager
def serving(*answers: tuple[Any, ...]) -> Iterator[tuple[str, list[str]]]:
    """Run a server that gives these answers, one a request, and notes what it was asked.

    An answer is a status and a body, and may have headers.
    """
    asked: list[str] = []
    coming = iter(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers['Authorization']}")
            status, body, *headers = next(coming)
            content = json.dumps("half" if body is CUT else body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) * (2 if body is CUT else 1)))
            for name, value in headers[0].items() if headers else ():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def answer(value: str) -> tuple[int, object]:
    return 200, {"key": "n", "value": base64.b64encode(value.encode()).decode()}


def test_a_value_comes_back_as_it_was() -> None:
    with serving(answer(" ü\n")) as (host, asked):
        assert RestSecrets(host, TOKEN).get("my scope", "a&b") == " ü\n"
    assert asked == [f"/api/2.0/secrets/get?scope=my+scope&key=a%26b Bearer {TOKEN}"]


def test_what_does_not_exist_is_none() -> None:
    with serving((404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})) as (host, _):
        assert RestSecrets(host, TOKEN).get("s", "n") is None


def test_a_busy_workspace_is_asked_again() -> None:
    with serving((429, {}), (503, {}), answer("x")) as (host, asked):
        assert RestSecrets(host, TOKEN).get("s", "n") == "x"
    assert len(asked) == 3


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    with serving((200, CUT), answer("x")) as (host, asked):
        assert RestSecrets(host, TOKEN).get("s", "n") == "x"
    assert len(asked) == 2
    with serving(*[(200, CUT)] * 3) as (host, _), pytest.raises(TransientError, match="IncompleteRead"):
        RestSecrets(host, TOKEN).get("s", "n")


def test_a_refusal_says_which_secret_and_no_token() -> None:
    with serving((403, {"message": TOKEN})) as (host, _), pytest.raises(ConfigurationError) as caught:
        RestSecrets(host, TOKEN).get("s", "n")
    assert "'n' of scope 's' could not be read: it answered 403" in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("body", [{}, [], {"value": "hunter2!"}, {"value": 7}])
def test_an_answer_that_cannot_be_read_is_not_shown(body: object) -> None:
    with serving((200, body)) as (host, _), pytest.raises(ConfigurationError) as caught:
        RestSecrets(host, TOKEN).get("s", "n")
    assert "hunter2" not in str(caught.value)


def test_the_token_goes_nowhere_else() -> None:
    with serving(answer("a stranger's")) as (elsewhere, asked_there):
        moved = (302, {}, {"Location": elsewhere.replace("127.0.0.1", "localhost")})
        with serving(moved) as (host, asked), pytest.raises(ConfigurationError, match="answered 302"):
            RestSecrets(host, TOKEN).get("s", "n")
    assert (len(asked), asked_there) == (1, [])


@pytest.mark.parametrize("token", [f"{TOKEN}\r", f"{TOKEN}\n", f"{TOKEN} x", f"{TOKEN}ü", f"{TOKEN}\udcff"])
def test_a_token_that_cannot_be_sent_is_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RestSecrets("http://127.0.0.1:1", token).get("s", "n")
    assert caught.value.field == "DATABRICKS_TOKEN"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "https://ann:hunter2@h",
        "https://h:hunter2",
        "https://[hunter2",
        "https://h\nhunter2",
        "https://h hunter2",
        "file:///hunter2",
        "https:///hunter2",
    ],
)
def test_an_address_that_is_none_is_not_shown(host: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RestSecrets(host, TOKEN).get("s", "n")
    assert caught.value.field == "DATABRICKS_HOST"
    assert "hunter2" not in str(caught.value)


def test_a_token_leaves_this_machine_by_tls_alone() -> None:
    with pytest.raises(ConfigurationError, match=r"example\.org without TLS") as caught:
        RestSecrets("http://example.org", TOKEN).get("s", "n")
    assert caught.value.field == "DATABRICKS_HOST"


def test_a_workspace_that_stays_away_may_come_back() -> None:
    with pytest.raises(TransientError, match="URLError"):
        RestSecrets("http://127.0.0.1:1", TOKEN).get("s", "n")
    with serving((500, {}), (500, {}), (500, {})) as (host, _), pytest.raises(TransientError, match="500"):
        RestSecrets(host, TOKEN).get("s", "n")


def test_it_needs_host_and_token() -> None:
    assert RestSecrets.of({}) is None
    assert RestSecrets.of({"DATABRICKS_HOST": "h"}) is None
    assert RestSecrets.of({"DATABRICKS_HOST": "h", "DATABRICKS_TOKEN": TOKEN}) == RestSecrets(
        "https://h", TOKEN
    )
    assert TOKEN not in repr(RestSecrets("https://h", TOKEN))


def test_outside_a_runtime_the_environment_comes_first() -> None:
    with serving(answer("from the workspace")) as (host, _):
        environ = {
            "DATABRICKS_HOST": host,
            "DATABRICKS_TOKEN": TOKEN,
            "DATALOADER_SECRET_S_A": "from the environment",
        }
        chain = default_secrets(environ)
        assert chain.get("s", "a") == "from the environment"
        assert chain.get("s", "b") == "from the workspace"
