"""How a Spark Connect server is started."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark import server
from airflow_dataloader.loader.engines.spark.server import ConnectServer, ServerSettings

SETTINGS = ServerSettings(jars=(Path("/j/a.jar"), Path("/j/b.jar")), port=15002, cores=2, token="canary")


def test_it_listens_on_the_loopback_interface_only() -> None:
    command = SETTINGS.command(Path("/scratch"))
    assert "spark.connect.grpc.binding.address=127.0.0.1" in command
    assert "spark.connect.grpc.binding.port=15002" in command
    assert "spark.driver.extraClassPath=/j/a.jar:/j/b.jar" in command


def test_what_nobody_keeps_lies_in_a_folder_of_its_own() -> None:
    (options,) = [part for part in SETTINGS.command(Path("/a b")) if "extraJavaOptions" in part]
    assert '-Djava.io.tmpdir="/a b"' in options


def test_its_token_is_in_the_environment_and_nowhere_else() -> None:
    assert SETTINGS.environment({})["SPARK_CONNECT_AUTHENTICATE_TOKEN"] == "canary"
    assert SETTINGS.remote == "sc://localhost:15002/;token=canary"
    assert "canary" not in " ".join(SETTINGS.command(Path("/scratch"))) + repr(SETTINGS)


def test_every_server_has_a_token_of_its_own() -> None:
    one, other = (ServerSettings(jars=(), port=1, cores=1) for _ in range(2))
    assert one.token != other.token


def test_an_address_of_another_server_does_not_make_it_a_client() -> None:
    assert "SPARK_REMOTE" not in SETTINGS.environment({"SPARK_REMOTE": ""})


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise ConfigurationError("Spark needs Java.")

    monkeypatch.setattr(server, "java_home", missing)


@pytest.mark.usefixtures("no_java")
def test_only_its_owner_may_read_its_log(tmp_path: Path) -> None:
    for log in (tmp_path / "new.log", tmp_path / "old.log"):
        if log.name == "old.log":
            log.touch()
            log.chmod(0o644)
        with pytest.raises(ConfigurationError):
            ConnectServer(SETTINGS, log).start()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.usefixtures("no_java")
def test_a_file_system_without_modes_keeps_a_log_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, mode: int) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(ConfigurationError, match="Spark needs Java"):
        ConnectServer(SETTINGS, tmp_path / "log").start()


@pytest.mark.usefixtures("no_java")
def test_a_start_that_fails_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "machine"))
    (tmp_path / "machine").mkdir()
    for more in ({}, {"scratch": tmp_path / "own"}):
        with pytest.raises(ConfigurationError):
            ConnectServer(SETTINGS, tmp_path / "log", **more).start()
    assert list((tmp_path / "machine").iterdir()) == list((tmp_path / "own").iterdir()) == []
