from __future__ import annotations

import socket

from airflow_dataloader import free_port as module
from airflow_dataloader.free_port import free_port


def test_the_port_can_be_bound_and_is_below_those_of_outgoing_connections() -> None:
    port = free_port()
    assert 1024 < port < 32_768
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not module._is_free(taken.getsockname()[1])
