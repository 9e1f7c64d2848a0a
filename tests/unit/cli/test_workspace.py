"""``dataloader workspace secret put``; the workspace itself is started by tests/integration/workspace."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_dataloader.cli import workspace
from airflow_dataloader.cli.main import run
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.secret_store import LONGEST, SecretFile
from tests.waiting import until


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretFile:
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path))
    return SecretFile(WorkspaceHome.below(tmp_path).secrets)


def put(monkeypatch: pytest.MonkeyPatch, given: bytes) -> int:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
    return run(["workspace", "secret", "put", "vault", "password"])


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_one_line_end_is_no_part_of_a_secret(
    secrets: SecretFile, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert put(monkeypatch, " pä\n".encode() + end) == 0
    assert secrets.get("vault", "password") == (" pä\n" if end else " pä")


def test_bytes_that_are_not_utf_8_are_refused_in_a_line(
    secrets: SecretFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(monkeypatch, b"p\xe9ss") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "Error: The value of secret 'password' holds bytes that are not UTF-8. Fix: pass it in UTF-8."
    )
    assert secrets.values() == set()


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_longest_secret_may_have_a_line_end_too(
    secrets: SecretFile, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert put(monkeypatch, b"s" * LONGEST + end) == 0
    assert secrets.get("vault", "password") == "s" * LONGEST


def test_what_is_longer_is_refused_and_not_read_to_its_end(
    secrets: SecretFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Cut anywhere, it ends with half a letter.
    stream = io.BytesIO("ä".encode() * LONGEST)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream, encoding="utf-8"))
    assert run(["workspace", "secret", "put", "vault", "password"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"longer than {LONGEST} bytes" in line
    assert stream.tell() < len(stream.getvalue()) // 2 + 100
    assert secrets.values() == set()


@pytest.mark.parametrize("text", ["nonsense", "2", "0g", "2 g", "-1g"])
def test_a_heap_that_is_no_size_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workspace", "--spark-memory", text]) == 2
    assert "such as 2g" in capsys.readouterr().err


def test_at_a_terminal_it_is_asked_for_and_not_shown(secrets: SecretFile, tmp_path: Path) -> None:
    ours, its = os.openpty()
    command = [sys.executable, "-m", "airflow_dataloader", "workspace", "secret", "put", "vault", "password"]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as process:
        os.close(its)
        said = b""
        while b"Value of password: " not in said:
            said += os.read(ours, 1024)
        os.write(ours, b"hunter22\n")
        # Linux tells the end of a terminal by an error.
        with contextlib.suppress(OSError):
            while more := os.read(ours, 1024):
                said += more
    os.close(ours)
    assert process.returncode == 0
    assert b"hunter22" not in said
    assert secrets.get("vault", "password") == "hunter22"


def test_a_home_that_cannot_be_made_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_HOME", "/proc/nope")
    assert put(monkeypatch, b"x") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "Error: /proc/nope cannot be used: No such file or directory. "
        "Fix: set DATALOADER_HOME to a folder that you may write to."
    )


def test_what_a_killed_server_has_left_is_removed_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new_server(home: WorkspaceHome, memory: str, log: Path) -> NoReturn:
        raise EngineFailed("No room.")

    monkeypatch.setattr(workspace, "_new_server", new_server)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    home = WorkspaceHome.below(tmp_path)
    left = home.scratch / "dataloader-spark-x" / "blockmgr"
    left.mkdir(parents=True)
    spark = workspace._open_spark(home, memory="1g", most_bytes=2**30)
    try:
        until(lambda: not left.exists())
    finally:
        spark.close()
