"""A port that is taken is one line before anything was started."""

from __future__ import annotations

import socket

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.demo.ports import Ports


def test_any_free_ports_differ() -> None:
    ports = Ports().chosen()
    assert len({ports.page, ports.workspace, ports.postgres}) == 3
    assert ports.chosen() == ports


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"Port {port} of 127\.0\.0\.1 cannot be used"):
            Ports(workspace=port).chosen()


def test_one_port_for_two_is_in_use() -> None:
    port = Ports().chosen().page
    with pytest.raises(ConfigurationError, match=f"Port {port}"):
        Ports(page=port, postgres=port).chosen()
