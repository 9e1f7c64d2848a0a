"""A PgBouncer in transaction mode between a test and a server: two connections for everybody."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from airflow_dataloader.workspace import unprivileged
from airflow_dataloader.workspace.end_with_parent import ParentWatch
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from tests.waiting import eventually

#: Says where PgBouncer is, where it is not on the PATH.
VARIABLE = "DATALOADER_TEST_PGBOUNCER"

#: Connections to the server, for any number of clients.
SIZE = 2

# A number in a socket's name only, unless an address is given: then it listens there.
_PORT = 6432

_SETTINGS = """
[databases]
* = host=127.0.0.1 port={server_port}

[pgbouncer]
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
listen_addr = {address}
listen_port = {port}
unix_socket_dir = {folder}
auth_type = scram-sha-256
auth_file = {folder}/users.txt
admin_users = {user}
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


@contextmanager
def pooling(server: EmbeddedPostgres, *, address: str = "", port: int = _PORT) -> Iterator[Pooler]:
    """Run a PgBouncer before a server; skip the test where this machine has none."""
    program = _find()
    if program is None:
        pytest.skip(
            f"needs PgBouncer: apt install pgbouncer, brew install pgbouncer, or its program in {VARIABLE}"
        )
    folder = Path(tempfile.mkdtemp(prefix="dataloader-pooler-"))
    folder.chmod(0o755)
    try:
        with Pooler(program, folder, server, address=address, port=port) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def _find() -> Path | None:
    # Debian puts it where only root's PATH leads.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    found = os.environ.get(VARIABLE) or shutil.which("pgbouncer", path=path)
    return Path(found) if found else None


class Pooler:
    """A PgBouncer that runs in ``folder`` and is reached by a socket there, and at ``address`` if given."""

    def __init__(
        self, program: Path, folder: Path, server: EmbeddedPostgres, *, address: str, port: int
    ) -> None:
        self._program = program
        self._folder = folder
        self._server = server
        self._address = address
        self.port = port

    def __enter__(self) -> Self:
        """Start it, and return when it answers."""
        settings = _SETTINGS.format(
            server_port=self._server.port,
            size=SIZE,
            address=self._address,
            port=self.port,
            folder=self._folder,
            user=self._server.user,
        )
        (self._folder / "pgbouncer.ini").write_text(settings)
        # PgBouncer needs the password itself to log in at the server.
        users = self._folder / "users.txt"
        users.touch(mode=0o600)
        users.write_text(f'"{self._server.user}" "{self._server.password}"\n')
        identity = unprivileged.choose()
        identity.give(self._folder)
        self._process = identity.popen(
            [self._program, self._folder / "pgbouncer.ini"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watch = ParentWatch(self._process.pid, self._folder / "pgbouncer.pid")
        eventually("PgBouncer's answer", self._answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._watch.cancel()
        self._process.kill()
        self._process.wait()

    def url(self, direct: str) -> str:
        """Return the URL that leads to the same database through the pooler."""
        given = urlsplit(direct)
        login = given.netloc.rpartition("@")[0]
        return f"postgresql://{login}@{quote(str(self._folder), safe='')}:{self.port}{given.path}"

    def show(self, what: str) -> list[dict[str, object]]:
        """Return what PgBouncer says of itself: ``POOLS``, ``CONFIG``, ``SERVERS`` …"""
        with psycopg.connect(self.url(self._server.url("pgbouncer")), autocommit=True) as console:
            # The console speaks no more than the simplest form of the protocol.
            cursor = psycopg.ClientCursor(console)
            cursor.execute(f"SHOW {what}".encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "pgbouncer.log").read_text()
        try:
            return bool(self.show("VERSION"))
        except psycopg.OperationalError:
            return False
