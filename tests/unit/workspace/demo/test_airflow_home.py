"""How Airflow is configured; that it runs so, the acceptance tests see."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import TransientError
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.demo.airflow_home import COMPONENTS, USER, AirflowHome, finish
from airflow_dataloader.workspace.demo.marked_processes import Mark
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart


@pytest.fixture
def airflow(tmp_path: Path) -> AirflowHome:
    return AirflowHome(
        folder=tmp_path / "airflow",
        database_url="postgresql://me:s3cret@127.0.0.1:5433/airflow",
        port=20123,
        environment={"AIRFLOW__CORE__PARALLELISM": "2"},
        logs=tmp_path / "logs",
    )


def test_the_password_is_the_home_s_own_and_nobody_else_reads_it(airflow: AirflowHome) -> None:
    password = airflow.password
    assert len(password) >= 12
    assert airflow.password == password
    file = Path(airflow.variables()["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(file.read_text()) == {USER: password}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(airflow.folder.stat().st_mode) == 0o700


def test_it_listens_on_this_machine_only_and_lets_nobody_in_without_a_login(airflow: AirflowHome) -> None:
    variables = airflow.variables()
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in variables


def test_a_user_s_own_airflow_has_no_say(airflow: AirflowHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_DATALOADER_CONTROL", "postgresql://production")
    variables = airflow.variables()
    assert "AIRFLOW__CORE__EXECUTOR" not in variables
    assert "AIRFLOW_CONN_DATALOADER_CONTROL" not in variables
    assert variables["AIRFLOW__CORE__PARALLELISM"] == "2"


def test_a_user_s_own_settings_have_no_say(airflow: AirflowHome, monkeypatch: pytest.MonkeyPatch) -> None:
    for option in Settings.options():
        monkeypatch.setenv(f"DATALOADER_{option.name.upper()}", "7")
    monkeypatch.setenv("DATABRICKS_CLUSTER_ID", "7")
    monkeypatch.setenv("DATALOADER_IVY_SETTINGS", "ivy.xml")
    variables = airflow.variables()
    mine = {name for name in variables if name.startswith(("DATALOADER_", "DATABRICKS_"))}
    assert mine == {"DATALOADER_HOME", "DATALOADER_IVY_SETTINGS"}


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_secret_is_in_a_command(airflow: AirflowHome, name: str) -> None:
    spec = airflow.component(name).spec
    secrets = {airflow.password, "s3cret", airflow.variables()["AIRFLOW__API__SECRET_KEY"]}
    assert list(spec.command)[-1 - len(COMPONENTS[name])] == name
    assert not any(secret in " ".join(spec.command) + repr(spec) + repr(airflow) for secret in secrets)


def test_a_migration_that_fails_names_its_log(tmp_path: Path) -> None:
    part = ProcessPart(
        PartSpec(
            name="db-migrate",
            command=[sys.executable, "-c", "exit(3)"],
            environment={},
            folder=tmp_path,
            log_file=tmp_path / "db-migrate.log",
        )
    )
    part.start()
    with pytest.raises(TransientError, match="failed with exit code 3") as caught:
        finish(part)
    assert str(tmp_path / "db-migrate.log") in str(caught.value)
    assert Mark(tmp_path).processes() == []


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_a_migration_is_tried_again_on_a_database_that_was_made_anew(tmp_path: Path, failures: int) -> None:
    tries = tmp_path / "tries"
    tries.write_text("")
    part = ProcessPart(
        PartSpec(
            name="db-migrate",
            command=[sys.executable, "-c", f"exit(len(open({str(tries)!r}).read()) < {failures})"],
            environment={},
            folder=tmp_path,
            log_file=tmp_path / "db-migrate.log",
        )
    )

    def anew() -> None:
        tries.write_text(tries.read_text() + "x")

    part.start()
    if failures > 2:
        with pytest.raises(TransientError, match="failed with exit code 1"):
            finish(part, anew)
    else:
        finish(part, anew)
    assert len(tries.read_text()) == min(failures, 2)
