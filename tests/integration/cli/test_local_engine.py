"""The Spark of a command, in a process of its own: it starts quietly and has ended when the command ends."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from airflow_dataloader.cli import local_engine
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark import java
from airflow_dataloader.settings import Settings

SCRIPT = """
import os, signal, sys
import psutil
from airflow_dataloader.cli import local_engine
from airflow_dataloader.loader import interrupt
from airflow_dataloader.settings import Settings

interrupt.listen()
ours = signal.getsignal(signal.SIGINT)
with local_engine.local_engine(Settings.from_environment(os.environ)) as engine:
    assert [child.name() for child in psutil.Process().children()] == ["java"]
    assert signal.getsignal(signal.SIGINT) is ours, "Spark's own handler is gone again"
assert psutil.Process().children() == []
print("ended", flush=True)
print("still there", file=sys.stderr)
"""


def test_it_starts_quietly_and_has_ended_afterwards(home: Path, tmp_path: Path) -> None:
    (tmp_path / "jars").symlink_to(home / "jars")
    kept = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**kept, "DATALOADER_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ended\n", "still there\n")
    assert "Spark" in (tmp_path / "spark.log").read_text()
    assert {path.name for path in tmp_path.iterdir()} <= {"jars", "java", "spark.log", "warehouse"}
    assert stat.S_IMODE((tmp_path / "warehouse").stat().st_mode) == 0o700


def test_a_spark_that_does_not_start_is_told_with_the_log_that_says_why(home: Path, tmp_path: Path) -> None:
    (tmp_path / "jars").symlink_to(home / "jars")
    kept = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    script = "from airflow_dataloader.cli.main import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", script, "maintain", "--local"],
        env={
            **kept,
            "DATALOADER_CONTROL_URL": "postgresql://127.0.0.1:1/nobody_asks",
            "DATALOADER_HOME": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "SPARK_DRIVER_MEMORY": "banana",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (ran.returncode, ran.stdout) == (1, "Starting Spark\n")
    assert ran.stderr.startswith("Error: Spark failed while starting in this process: [JAVA_GATEWAY_EXITED]")
    assert f"commands keep it in {tmp_path / 'spark.log'}" in ran.stderr
    assert "banana" in (tmp_path / "spark.log").read_text()


def test_a_machine_without_java_is_named_before_anything_starts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    # This machine has one; the search itself is the real one.
    monkeypatch.setattr(java, "_carried_runtime", lambda: None)
    nowhere = {"PATH": str(tmp_path)}
    monkeypatch.setattr(local_engine, "java_home", partial(java.java_home, nowhere, machine=()))
    with pytest.raises(ConfigurationError, match="Spark needs Java 17 or 21") as caught:
        local_engine.check_engine(Settings(home=home))
    assert "install OpenJDK" in str(caught.value.fix)


def test_another_s_spark_needs_nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://spark.example")
    monkeypatch.setattr(java, "_carried_runtime", lambda: None)
    local_engine.check_engine(Settings(home=tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()
