"""A PostgreSQL server of our own on this machine: for the demo, for tests, for a first look.

It listens on 127.0.0.1 only, with scram passwords, and changes nothing outside its folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.free_port import free_port
from airflow_dataloader.workspace import postgres_binaries, unprivileged
from airflow_dataloader.workspace.end_with_parent import ParentWatch
from airflow_dataloader.workspace.folder_lock import locked
from airflow_dataloader.workspace.postgres_pid_file import PidFile

USER = "dataloader"

#: Seconds until a starting server must be ready: a crashed one first replays its log.
_START_SECONDS = 120.0
_POLL_SECONDS = 0.02
#: How a server is asked to end, and how long each way may take in seconds: fast, at once, by force.
_STOPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
#: What a server's log says when another try may succeed: a port lost to somebody, or the backends of a
#: killed server that have not noticed yet.
_PORT_TAKEN = "could not create any TCP/IP sockets"
_STILL_IN_USE = "is still in use"


class EmbeddedPostgres:
    """One server and its folder: ``cluster/``, ``password`` (mode 0600), ``server.log``, ``lock``.

    ``port`` 0 takes any free port at the first start and keeps it afterwards. Without ``fsync`` the server
    is quicker and a crash of the machine loses data; one of the server does not. ``settings`` are further
    PostgreSQL settings. ``binaries`` is a folder with ``initdb`` and ``postgres``, by default those of
    the installed wheel. The server ends when this process ends, whichever way that happens.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        fsync: bool = True,
        max_connections: int = 100,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
        identity: unprivileged.Identity | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.user = USER
        self._settings = _settings(fsync, max_connections) | dict(settings or {})
        self._binaries = binaries
        self._identity = identity
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: ParentWatch | None = None
        self._lock = ExitStack()

    @property
    def running(self) -> bool:
        """Whether the server that this object started is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    @property
    def password(self) -> str:
        """Password of :data:`USER`, who is superuser of this server."""
        return (self.data_dir / "password").read_text()

    @property
    def log_file(self) -> Path:
        """What the server had to say, oldest first."""
        return self.data_dir / "server.log"

    def url(self, database: str = "postgres") -> str:
        """Return a libpq URL, password included."""
        return (
            f"postgresql://{self.user}:{quote(self.password, safe='')}@127.0.0.1:{self.port}"
            f"/{quote(database, safe='')}"
        )

    def start(self) -> None:
        """Start the server and return when it takes connections; nothing happens if it runs already.

        A folder left by a crash is taken over, and a server that still runs in it is ended first. Raises
        ConfigurationError if another live process uses the folder, or the server cannot start.
        """
        if self.running:
            return
        self.stop()
        self._take_folder()
        try:
            identity = self._identity = self._identity or unprivileged.choose()
            identity.check_reach(self.data_dir)
            self._pid_file.clear_orphan()
            self._initialise(identity)
            self._launch(identity)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and wait until it has ended; nothing happens if none runs."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._process is not None:
            _end(self._process)
            self._process = None
        self._lock.close()

    def restart(self) -> None:
        """Stop and start, on the same port."""
        self.stop()
        self.start()

    def create_database(self, name: str, template: str | None = None, *, exist_ok: bool = False) -> None:
        """Create a database, as a copy of ``template`` if given; nobody may be connected to a template."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
            if exist_ok and found is not None:
                return
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template1")
                )
            )

    def drop_database(self, name: str) -> None:
        """Drop a database and end whatever is connected to it; one that is not there is fine."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def _pid_file(self) -> PidFile:
        return PidFile(self._cluster / "postmaster.pid")

    def _take_folder(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.enter_context(
            locked(
                self.data_dir,
                taken=f"Another process runs a PostgreSQL server in {self.data_dir}.",
                fix="end that process, or use another DATALOADER_HOME",
            )
        )

    def _initialise(self, identity: unprivileged.Identity) -> None:
        binaries = self._binaries or postgres_binaries.find()
        if identity.account is not None and self._binaries is None:
            binaries = postgres_binaries.copy(binaries, self.data_dir / "programs")
        self._programs = binaries
        password_file = self.data_dir / "password"
        if not password_file.exists():
            descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        self.log_file.touch(mode=0o600)
        identity.give(self.data_dir)
        major = self._major(identity)
        if not self._cluster.exists():
            self._initdb(identity, password_file, major)
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        if made_by != str(major):
            raise ConfigurationError(
                f"{self._cluster} was made by PostgreSQL {made_by}, and the installed server is {major}.",
                fix=f"remove {self.data_dir}, or install the older server",
            )

    def _major(self, identity: unprivileged.Identity) -> int:
        version = identity.popen([self._programs / "postgres", "--version"], stdout=subprocess.PIPE)
        words = version.communicate()[0].decode().split()
        # "postgres (PostgreSQL) 18.6"; distributions add words of their own after the number.
        return int(words[2].split(".")[0])

    def _initdb(self, identity: unprivileged.Identity, password_file: Path, major: int) -> None:
        """Make the cluster beside its place, so that one that was interrupted is never mistaken for whole."""
        unfinished = self.data_dir / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # From 17 on, a collation of PostgreSQL's own that is the same on every machine.
        unicode_ = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= 17 else []
        command = [
            *(
                self._programs / "initdb",
                "-D",
                unfinished,
                "--username",
                self.user,
                "--pwfile",
                password_file,
            ),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"),
            *unicode_,
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
        ]
        process = identity.popen(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = process.communicate()[0].decode(errors="replace")
        if process.returncode != 0:
            raise ConfigurationError(
                f"initdb could not make {self._cluster}: {_last_line(output)}",
                fix="fix the reported problem, and start again",
            )
        unfinished.rename(self._cluster)

    def _launch(self, identity: unprivileged.Identity) -> None:
        wished, deadline = self.port, time.monotonic() + _START_SECONDS
        while True:
            self.port = wished or free_port()
            log_size = self.log_file.stat().st_size
            self._process = self._spawn(identity)
            self._watch = ParentWatch(self._process.pid, self._pid_file.path)
            if self._wait_until_ready(self._process, deadline):
                return
            self._watch.cancel()
            said = self.log_file.read_bytes()[log_size:].decode(errors="replace")
            again = _STILL_IN_USE in said or (_PORT_TAKEN in said and not wished)
            if not again or time.monotonic() > deadline:
                raise ConfigurationError(
                    f"PostgreSQL did not start on port {self.port}: {_last_line(said)}",
                    fix=f"see {self.log_file}, and start again",
                )
            time.sleep(10 * _POLL_SECONDS)

    def _spawn(self, identity: unprivileged.Identity) -> subprocess.Popen[bytes]:
        options = self._settings | {"port": str(self.port)}
        with self.log_file.open("ab") as log:
            return identity.popen(
                [
                    *(self._programs / "postgres", "-D", self._cluster),
                    *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
                ],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us: we end the server when whatever uses it has ended.
                start_new_session=True,
            )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        while process.poll() is None:
            if self._pid_file.says_ready(process.pid):
                return True
            if time.monotonic() > deadline:
                _end(process)
                return False
            time.sleep(_POLL_SECONDS)
        return False


def _settings(fsync: bool, max_connections: int) -> dict[str, str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": str(max_connections),
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not fsync:
        # Not synchronous_commit: a server that is killed would have forgotten what it said was committed.
        settings |= {"fsync": "off", "full_page_writes": "off"}
    return settings


def _environment() -> dict[str, str]:
    """Return our environment without what would steer PostgreSQL's programs, and with English messages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in _STOPS:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    loud = [line for line in lines if "FATAL" in line or "error:" in line]
    return (loud or lines or ["it said nothing"])[-1]
