"""How a person gets into the demo's databases without a password among a process's arguments."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from airflow_dataloader.private_file import write_private
from airflow_dataloader.workspace.postgres import EmbeddedPostgres


def _password_line(server: EmbeddedPostgres) -> str:
    """Return the server's line of a password file of libpq's."""
    password = re.sub(r"([\\:])", r"\\\1", server.password)
    return f"127.0.0.1:{server.port}:*:{server.user}:{password}"


def psql(server: EmbeddedPostgres, database: str, password_file: Path) -> str:
    """Return the command line that opens a database, after writing the password to a file of its owner's."""
    write_private(password_file, _password_line(server) + "\n")
    where = f"-h 127.0.0.1 -p {server.port} -U {server.user} {shlex.quote(database)}"
    return f"PGPASSFILE={shlex.quote(str(password_file))} psql {where}"
