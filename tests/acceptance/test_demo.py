"""``dataloader demo`` as a stranger runs it: a command, its words, its exit code, and nothing left behind."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

TABLES = {"customers", "products", "orders", "order_lines", "payments", "events", "revenue_by_country"}

#: Seconds; the machine may be busy with other tests.
PATIENCE = 500


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> Iterator[Path]:
    """A DATALOADER_HOME of this test's own, with the jars of this machine."""
    folder = tmp_path / "a home"
    folder.mkdir()
    # PostgreSQL may run as another user, who has to get here.
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    (folder / "jars").symlink_to((home / "jars").resolve())
    yield folder
    for process in of(folder):
        process.kill()


def of(folder: Path) -> list[psutil.Process]:
    """Return the processes that were started for this home."""
    found = []
    for process in psutil.process_iter():
        try:
            words, place = process.cmdline(), process.cwd()
        except psutil.Error:
            continue
        if process.pid != os.getpid() and (str(folder) in " ".join(words) or place.startswith(str(folder))):
            found.append(process)
    return found


def start(home: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """Start the demo without a terminal, in a folder where it has nothing to look for."""
    kept = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    return subprocess.Popen(
        [Path(sys.executable).with_name("dataloader"), "demo", "--exit", *options],
        env={**kept, "DATALOADER_HOME": str(home), **environment},
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(home: Path, *options: str, **environment: str) -> str:
    """Run a demo that cannot begin; return its one line, when it has ended as it should."""
    demo = start(home, *options, **environment)
    _, said = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1
    assert of(home) == []
    (line,) = said.splitlines()
    assert line.startswith("Error: ")
    assert "Fix: " in line
    return line


def test_both_rounds_are_equal_and_nothing_is_left(own_home: Path) -> None:
    demo = start(own_home)
    shown, said = demo.communicate(timeout=PATIENCE)
    assert (demo.returncode, said) == (0, ""), shown
    assert of(own_home) == []
    rows = re.findall(
        r"^ +shop\.(\w+) +(\w+) +([\d,]+) +([\d,]+) +([\d,]+) +[\d.]+ +(\d) +(\w+) *$", shown, re.M
    )
    assert sorted((name, version) for name, *_, version, _ in rows) == sorted(
        (name, version) for name in TABLES for version in "01"
    )
    assert {equal for *_, equal in rows} == {"yes"}
    second = {name: numbers for name, *numbers, version, _ in rows if version == "1"}
    assert second["orders"] == ["incremental", "4,001", "3,001", "1,000"]
    assert second["products"] == ["full", "4,990", "4,990", "0"]
    assert "Every target equals its source" in shown
    # Whoever waits without a terminal is told what goes on.
    assert shown.index("Starting PostgreSQL") < shown.index("Starting Spark") < shown.index("First load")
    tables = own_home / "warehouse" / "dataloader_demo" / "shop"
    assert {path.name for path in tables.iterdir()} == TABLES
    assert {path.name for path in own_home.iterdir()} == {"demo", "jars", "spark.log", "warehouse"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(own_home: Path, number: signal.Signals) -> None:
    demo = start(own_home)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "shop.customers" in line:
            break
    # The next table is being read or written by now.
    time.sleep(0.5)
    demo.send_signal(number)
    shown, said = demo.communicate(timeout=PATIENCE)
    assert (demo.returncode, said.strip()) == (130, "Interrupted."), shown
    assert of(own_home) == []


def test_a_folder_in_use_is_one_line(own_home: Path) -> None:
    folder = own_home / "demo" / "postgres"
    folder.mkdir(parents=True)
    with (folder / "lock").open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another process runs a PostgreSQL server in" in refused(own_home)


def test_a_port_in_use_is_one_line(own_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"PostgreSQL did not start on port {port}" in refused(own_home, "--port", str(port))


def test_no_way_to_the_jars_is_one_line(own_home: Path) -> None:
    (own_home / "jars").unlink()
    settings = own_home / "ivy.xml"
    settings.write_text(
        '<ivysettings><settings defaultResolver="gone"/><resolvers>'
        '<ibiblio name="gone" m2compatible="true" root="http://127.0.0.1:9/"/>'
        "</resolvers></ivysettings>"
    )
    assert "Could not fetch" in refused(own_home, DATALOADER_IVY_SETTINGS=str(settings))
    assert not (own_home / "demo").exists()
