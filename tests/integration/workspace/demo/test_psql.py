"""What the demo prints for a person opens its databases, and holds no password."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

import psycopg

from airflow_dataloader.workspace.demo.psql import psql
from airflow_dataloader.workspace.postgres import EmbeddedPostgres


def test_it_opens_a_database_and_shows_no_password(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    file = tmp_path / "a b" / "pgpass"
    file.parent.mkdir()
    setting, program, *options = shlex.split(psql(postgres, "postgres", file))
    assert postgres.password not in " ".join((setting, *options))
    assert (setting, program) == (f"PGPASSFILE={file}", "psql")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    _, host, _, port, _, user, database = options
    with psycopg.connect(
        host=host, port=port, user=user, dbname=database, passfile=str(file), sslmode="disable"
    ) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
