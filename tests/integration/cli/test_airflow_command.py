"""``airflow dataloader …`` by Airflow's own command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import airflow_dataloader


def airflow_dataloader_command(
    home: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it in an Airflow in which nothing has been set."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DATALOADER"))
    }
    return subprocess.run(
        [Path(sys.executable).with_name("airflow"), "dataloader", *arguments],
        env={**kept, "AIRFLOW_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_airflow_hands_every_word_on(tmp_path: Path) -> None:
    done = airflow_dataloader_command(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"dataloader, version {airflow_dataloader.__version__}\n")


def test_a_control_database_that_is_not_there_is_one_line_and_its_exit_code(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        conn = {
            "conn_type": "dataloader_control",
            "host": "127.0.0.1",
            "port": closed.getsockname()[1],
            "login": "somebody",
            "password": "a long secret",
            "schema": "nowhere",
        }
        done = airflow_dataloader_command(
            tmp_path, "db", "status", AIRFLOW_CONN_DATALOADER_CONTROL=json.dumps(conn)
        )
    assert (done.returncode, done.stdout) == (5, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"Error: The control database nowhere at 127.0.0.1:{conn['port']} cannot be reached"
    )
    assert "a long secret" not in line
