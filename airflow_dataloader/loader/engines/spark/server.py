"""A warm Spark Connect server on this machine: for tests, the benchmark and the local workspace.

``python -m airflow_dataloader.loader.engines.spark.server --port 15002`` runs one in the foreground.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import click

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.free_port import free_port
from airflow_dataloader.loader.engines.spark import jars
from airflow_dataloader.loader.engines.spark.confs import local_confs
from airflow_dataloader.loader.engines.spark.cores import usable_cores
from airflow_dataloader.loader.engines.spark.java import java_home
from airflow_dataloader.loader.engines.spark.names import make_warehouse
from airflow_dataloader.loader.engines.spark.pyspark_home import pyspark_folder
from airflow_dataloader.loader.engines.spark.remote import SPARK_REMOTE
from airflow_dataloader.private_file import open_private_log
from airflow_dataloader.settings import Settings

_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05


# Becomes the server, beside a watcher that ends the whole group when our process has gone, however it went:
# only our process holds the other end of its standard input. The group outlives its leader as long as the
# watcher is in it, so that its number cannot be somebody else's by then.
_WITH_PARENT = """
exec 3<&0
( trap "" TERM
  while read -r _; do :; done
  kill -TERM -$$; sleep 10; kill -KILL -$$ ) <&3 >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What a server is started with."""

    jars: tuple[Path, ...]
    port: int
    cores: int
    #: Heap, as Java spells it.
    memory: str = "2g"
    #: Whoever connects must know it: the server runs what it is told, with the rights of its owner.
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def remote(self) -> str:
        """Address for ``SPARK_REMOTE``; it contains the token."""
        return f"sc://localhost:{self.port}/;token={self.token}"

    def command(self, scratch: Path) -> list[str]:
        """Return the command line; it shows no token. ``scratch`` is a folder for what nobody keeps."""
        confs = local_confs(self.jars, cores=self.cores, memory=self.memory)
        # Below the machine's own, the server would make a folder for models whose name is the same for all
        # users, and for all but the first could not end its sessions.
        confs["spark.driver.extraJavaOptions"] += f' -Djava.io.tmpdir="{scratch}"'
        confs |= {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self.port),
            # Its log is read by people who look for what happened to a run.
            "spark.log.level": "ERROR",
        }
        options = [part for name, value in confs.items() for part in ("--conf", f"{name}={value}")]
        return [str(pyspark_folder() / "bin" / "spark-submit"), "--class", _CLASS, *options]

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the server's process."""
        # SPARK_REMOTE, empty too, would make it the client of another server.
        inherited = {name: value for name, value in base.items() if name != SPARK_REMOTE}
        return {
            **inherited,
            "SPARK_HOME": str(pyspark_folder()),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": self.token,
        }


class ConnectServer:
    """One server in a process group of its own, with its log in a file; it does not outlive this process."""

    def __init__(self, settings: ServerSettings, log: Path, *, scratch: Path | None = None) -> None:
        """``scratch`` is where it gets a folder for what nobody keeps; None: the machine's own place."""
        self.settings = settings
        self.log = log
        self._scratches = scratch
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Path | None = None

    @property
    def remote(self) -> str:
        """Address for ``SPARK_REMOTE``; it contains the token."""
        return self.settings.remote

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None if it does not run."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process is not None else None

    def start(self) -> Self:
        """Start the server and return when it answers; raise EngineFailed with its last words if it ends."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._scratch = _new_scratch(self._scratches)
        try:
            # It says what runs say, and may show what they read.
            with open_private_log(self.log) as log:
                process = self._process = _spawn(self.settings, log, scratch)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        until = time.monotonic() + _START_SECONDS
        while not _listens(self.settings.port):
            # Another thread may stop it meanwhile.
            if process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise EngineFailed(f"The Spark Connect server did not start: {_tail(self.log)}")
            time.sleep(_POLL_SECONDS)
        return self

    def stop(self) -> None:
        """End the server and whatever it started; what it was writing is not committed. Twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        # What is left of the group: its watcher, or a server that does not listen.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def server_settings(
    home: Path, *, port: int = 0, cores: int | None = None, memory: str = "2g"
) -> ServerSettings:
    """Return settings with the jars of ``home``, fetching what is missing; port 0 takes any free one."""
    jars.ensure(jars.DEFAULT, home)
    make_warehouse(home)
    return ServerSettings(
        jars=tuple(jars.present(home)),
        port=port or free_port(),
        cores=cores or usable_cores(),
        memory=memory,
    )


def _new_scratch(parent: Path | None = None) -> Path:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix="dataloader-spark-", dir=parent))


def _spawn(settings: ServerSettings, log: IO[bytes], scratch: Path) -> subprocess.Popen[bytes]:
    environment = settings.environment(os.environ) | {"JAVA_HOME": str(java_home())}
    return subprocess.Popen(
        ["/bin/sh", "-c", _WITH_PARENT, "spark-connect", *settings.command(scratch)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _tail(log: Path, lines: int = 10) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-lines:])


@click.command()
@click.option("--port", type=int, default=0, help="Port on the loopback interface; 0 takes any free one.")
@click.option("--memory", default="2g", show_default=True, help="Heap of the server.")
def main(*, port: int, memory: str) -> None:
    """Run a server in the foreground; its first line is the address for SPARK_REMOTE."""
    home = Settings.from_environment(os.environ).home
    settings = server_settings(home, port=port, memory=memory)
    print(settings.remote, flush=True)
    environment = settings.environment(os.environ) | {"JAVA_HOME": str(java_home())}
    command = settings.command(_new_scratch())
    os.execvpe(command[0], command, environment)  # noqa: S606


if __name__ == "__main__":
    main()
