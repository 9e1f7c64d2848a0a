"""``airflow dataloader …`` by Airflow's own command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.models import Connection
from airflow.utils.session import create_session

import airflow_dataloader
from airflow_dataloader.cli.airflow_command import use_airflow
from airflow_dataloader.cli.startup_errors import StartupErrors


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


@pytest.mark.usefixtures("airflow_db")
def test_a_connection_that_airflow_s_own_database_has_comes_first() -> None:
    with create_session() as session:
        kept = {"host": "127.0.0.1", "login": "u", "password": "p@ss", "schema": "d"}
        session.add(Connection(conn_id="kept_here", conn_type="dataloader_control", **kept))
    chosen = {"AIRFLOW__DATALOADER__CONTROL_CONN_ID": "kept_here"}
    environ = {"DATALOADER_CONTROL_URL": "postgresql://elsewhere/x", **chosen}
    assert use_airflow(environ) == StartupErrors()
    assert environ["DATALOADER_CONTROL_URL"] == "postgresql://u:p%40ss@127.0.0.1/d"


def test_no_other_database_stands_in_where_airflow_s_own_cannot_be_asked(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"postgresql+psycopg2://u:a%20long%20secret@127.0.0.1:{closed.getsockname()[1]}/airflow"
        done = airflow_dataloader_command(
            tmp_path,
            "db",
            "status",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=away,
            DATALOADER_CONTROL_URL="postgresql://elsewhere/x",
        )
    assert (done.returncode, done.stdout) == (5, "")
    assert "Airflow connection dataloader_control cannot be looked up: OperationalError." in done.stderr
    assert "long" not in done.stderr
