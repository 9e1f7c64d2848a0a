"""Another machine is only ever spoken to through TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from airflow_dataloader.control import migrate
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ControlUnavailable
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from tests.faults.proxy import through
from tests.integration.control.counting_proxy import CountingProxy


@pytest.fixture(scope="module")
def address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs a network interface beside loopback")
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def tls_server() -> Iterator[EmbeddedPostgres]:
    """A server with a certificate that nobody signed; the wheel's is built without TLS."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not installed or shutil.which("openssl") is None:
        pytest.skip("needs Debian's postgresql and openssl, for a server with TLS")
    home = Path(tempfile.mkdtemp(prefix="dataloader-tls-"))
    home.chmod(0o755)
    subprocess.run(
        [
            "openssl",
            "req",
            "-new",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=control",
            "-newkey",
            "rsa:2048",
            "-keyout",
            str(home / "server.key"),
            "-out",
            str(home / "server.crt"),
        ],
        check=True,
        capture_output=True,
    )
    server = EmbeddedPostgres(
        home / "postgres",
        fsync=False,
        binaries=installed[-1].parent,
        settings={
            "ssl": "on",
            "ssl_cert_file": str(home / "server.crt"),
            "ssl_key_file": str(home / "server.key"),
        },
    )
    server.start()
    yield server
    server.stop()
    shutil.rmtree(home)


def test_a_server_without_tls_is_refused(postgres: Any, control_url: str, address: str) -> None:
    with CountingProxy(postgres.port, host=address) as proxy:
        engine = create_engine(through(control_url, proxy.port, address))
        with (
            pytest.raises(ControlUnavailable, match="does not support SSL, but SSL was required"),
            transaction(engine) as connection,
        ):
            connection.execute(text("SELECT 1"))


def test_a_server_with_tls_is_spoken_to_in_it(tls_server: EmbeddedPostgres, address: str) -> None:
    tls_server.create_database("dataloader")
    url = tls_server.url("dataloader")
    migrate.upgrade(url, report=lambda _: None)
    with CountingProxy(tls_server.port, host=address) as proxy:
        engine = create_engine(through(url, proxy.port, address))
        try:
            backends = []
            for _ in range(3):
                with transaction(engine) as connection:
                    query = text("SELECT pid, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                    backends.append(connection.execute(query).one())
        finally:
            engine.dispose()
    assert backends[0].ssl
    assert len({backend.pid for backend in backends}) == 1, "an encrypted connection is used again"
