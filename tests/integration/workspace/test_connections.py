"""Connections that keep the workspace waiting, by real sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.integration.workspace.conftest import Start, Workspace
from tests.waiting import until

WHOLE = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /nowhere HTTP/1.1\r\nHost: loc"


def connected(workspace: Workspace) -> socket.socket:
    address = urlsplit(workspace.url)
    # Nothing here takes as long, unless it does not happen.
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=60)


def closed(connection: socket.socket) -> bool:
    """Wait for what comes next, and say whether that is the end."""
    try:
        return connection.recv(65536) == b""
    except ConnectionResetError:
        return True


def is_answered(connection: socket.socket) -> bool:
    connection.sendall(WHOLE)
    return not closed(connection)


@pytest.mark.parametrize("sent", [b"", HALF])
def test_half_a_request_is_not_waited_for(start: Start, sent: bytes) -> None:
    with connected(start(head_seconds=0.5)) as connection:
        connection.sendall(sent)
        assert closed(connection)


def test_nor_is_half_a_request_after_a_whole_one(start: Start) -> None:
    with connected(start(head_seconds=0.5)) as connection:
        assert is_answered(connection)
        connection.sendall(HALF)
        assert closed(connection)


def test_an_answer_may_take_longer_than_its_request(start: Start) -> None:
    workspace = start(head_seconds=0.5, faults=True)
    fault = {"kind": "latency", "path": "runs/list", "seconds": 1.5}
    workspace.http.post("/faults", json={"faults": [fault]}).raise_for_status()
    workspace.http.get("/api/2.2/jobs/runs/list").raise_for_status()


def test_more_connections_than_allowed_are_refused_until_one_ends(start: Start) -> None:
    workspace = start(max_connections=2)

    def answers() -> bool:
        with connected(workspace) as another:
            try:
                return is_answered(another)
            except BrokenPipeError:
                return False

    with ExitStack() as stack:
        first, second = (stack.enter_context(connected(workspace)) for _ in range(2))
        assert is_answered(first)
        assert is_answered(second)
        assert not answers()
        first.close()
        until(answers)
