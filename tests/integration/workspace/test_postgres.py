"""The embedded PostgreSQL server, really started, stopped, killed and left behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from airflow_dataloader.workspace.unprivileged import Identity
from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user may enter, as root without user namespaces needs it."""
    home = Path(tempfile.mkdtemp(prefix="dataloader-postgres-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "postgres", fsync=False)
    yield server
    server.stop()


def ask(server: EmbeddedPostgres, question: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database), autocommit=True, connect_timeout=10) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return row[0]


def servers_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in word for word in process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_serves_on_a_free_port_with_settings_and_keeps_both_over_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(
        folder / "postgres", fsync=False, max_connections=33, settings={"work_mem": "7MB"}
    ) as server:
        port, password = server.port, server.password
        server.create_database("shop")
        server.restart()
        assert (server.port, server.password) == (port, password)
        assert ask(server, "SHOW max_connections", "shop") == "33"
        assert ask(server, "SHOW work_mem") == "7MB"
        assert ask(server, "SHOW fsync") == "off"
        assert ask(server, "SELECT lower('ÄÖ')") == "äö"


def test_is_durable_unless_told_otherwise(folder: Path) -> None:
    with EmbeddedPostgres(folder / "postgres") as server:
        assert ask(server, "SHOW fsync") == "on"
        assert ask(server, "SHOW synchronous_commit") == "on"


def test_what_was_committed_outlives_a_kill_without_fsync(folder: Path, server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int)")
        connection.execute("INSERT INTO orders VALUES (42)")
        found = servers_of(folder)
        doomed = {*found, *(child for process in found for child in process.children(recursive=True))}
        for process in doomed:
            process.suspend()
        for process in doomed:
            process.kill()
        psutil.wait_procs(doomed)
    server.stop()
    with EmbeddedPostgres(folder / "postgres", fsync=False) as again:
        assert ask(again, "SELECT id FROM orders") == 42


def test_listens_on_loopback_only_and_wants_the_password(server: EmbeddedPostgres) -> None:
    server.start()
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port
    }
    assert listening == {"127.0.0.1"}
    assert ask(server, "SHOW unix_socket_directories") == ""
    assert stat.S_IMODE((server.data_dir / "password").stat().st_mode) == 0o600
    wrong = server.url().replace(server.password, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_a_copy_of_a_template_holds_its_rows_and_a_drop_ends_sessions(server: EmbeddedPostgres) -> None:
    server.start()
    server.create_database("template_shop")
    with psycopg.connect(server.url("template_shop")) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 42 AS id")
    server.create_database("shop", "template_shop")
    server.create_database("shop", exist_ok=True)
    assert ask(server, "SELECT id FROM orders", "shop") == 42
    with pytest.raises(psycopg.errors.DuplicateDatabase):
        server.create_database("shop")
    with psycopg.connect(server.url("shop")):
        server.drop_database("shop")
    server.drop_database("shop")
    assert ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == 0


def test_stop_leaves_no_process_even_with_an_open_transaction(server: EmbeddedPostgres, folder: Path) -> None:
    server.start()
    with psycopg.connect(server.url()) as connection:
        connection.execute("SELECT 1")
        server.stop()
        assert servers_of(folder) == []
        connection.close()
    assert not server.running
    server.stop()


def test_starts_again_after_its_server_was_killed(server: EmbeddedPostgres) -> None:
    server.start()
    server.create_database("shop")
    os.kill(server.pid, signal.SIGKILL)
    eventually("the end of the killed server", lambda: not server.running)
    server.start()
    assert ask(server, "SELECT 1", "shop") == 1


def test_takes_over_a_folder_with_a_stale_pid_file_of_a_living_stranger(server: EmbeddedPostgres) -> None:
    server.start()
    pid_file = server.data_dir / "cluster" / "postmaster.pid"
    left = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *left[1:]]))
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_ends_a_server_that_outlived_its_owner(server: EmbeddedPostgres, folder: Path) -> None:
    """Owner and watch are both killed at once, as a container's end or an impatient person does."""
    owner, orphan = start_elsewhere(server.data_dir)
    for watch in servers_of(folder):
        if watch.pid != orphan and watch.name() == "sh":
            watch.kill()
    owner.kill()
    owner.wait()
    assert psutil.pid_exists(orphan)
    server.start()
    assert ask(server, "SELECT 1") == 1
    assert server.pid != orphan
    eventually(
        "the end of the orphan",
        lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == "zombie",
    )


def test_dies_with_its_owner(folder: Path) -> None:
    owner, _ = start_elsewhere(folder / "postgres")
    owner.kill()
    owner.wait()
    eventually("the end of server and watch", lambda: servers_of(folder) == [])


def test_refuses_a_folder_that_another_process_uses(server: EmbeddedPostgres, folder: Path) -> None:
    owner, other = start_elsewhere(server.data_dir)
    try:
        with pytest.raises(ConfigurationError, match="Another process runs"):
            server.start()
        assert psutil.pid_exists(other)
    finally:
        owner.kill()
        owner.wait()
        eventually("the end of the other server", lambda: servers_of(folder) == [])


def test_says_that_a_wished_port_is_taken(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = EmbeddedPostgres(folder / "postgres", taken.getsockname()[1], fsync=False)
        with pytest.raises(ConfigurationError, match="did not start on port"):
            server.start()
    assert servers_of(folder) == []


def test_says_what_is_wrong_with_a_setting(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "postgres", fsync=False, settings={"work_mem": "a lot"})
    with pytest.raises(ConfigurationError, match='invalid value for parameter "work_mem"'):
        server.start()


def test_refuses_a_cluster_of_another_major_version(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.data_dir / "cluster" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ConfigurationError, match="made by PostgreSQL 12"):
        server.start()


def test_makes_the_cluster_anew_when_the_first_try_was_interrupted(server: EmbeddedPostgres) -> None:
    unfinished = server.data_dir / "cluster.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server.start()
    assert ask(server, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_without_user_namespaces_runs_it_as_another_user_from_a_copy(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with EmbeddedPostgres(folder / "postgres", fsync=False, identity=Identity(account=nobody)) as server:
        process = psutil.Process(server.pid)
        assert process.uids().effective == nobody.pw_uid
        assert Path(process.exe()).is_relative_to(server.data_dir)
        server.create_database("shop")
        server.restart()
        assert ask(server, "SELECT 1", "shop") == 1
    assert servers_of(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_says_which_folder_another_user_cannot_enter(folder: Path) -> None:
    folder.chmod(0o700)
    server = EmbeddedPostgres(folder / "postgres", identity=Identity(account=pwd.getpwnam("nobody")))
    with pytest.raises(ConfigurationError, match=f"cannot enter {folder}"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs every other test of this file")
def test_an_ordinary_user_runs_it_directly(folder: Path) -> None:
    """The whole life of a server below a home of that user's own, with the machine's own accounts."""
    binaries = copy_readable(folder)
    account = pwd.getpwnam("nobody")
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, account.pw_uid, account.pw_gid)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from airflow_dataloader.workspace.postgres import EmbeddedPostgres\n"
        "assert os.geteuid() != 0\n"
        "with EmbeddedPostgres(Path(sys.argv[1]), fsync=False, binaries=Path(sys.argv[2])) as server:\n"
        "    server.create_database('shop')\n"
        "    print(os.stat(f'/proc/{server.pid}').st_uid)\n"
    )
    pid = os.fork()
    if pid == 0:  # A child that has our modules already: the interpreter may lie where nobody can read.
        os._exit(run_as(account, program, [str(home / "postgres"), str(binaries)]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert servers_of(folder) == []


def run_as(account: pwd.struct_passwd, program: str, arguments: list[str]) -> int:
    try:
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        sys.argv = ["program", *arguments]
        exec(program, {})
    except BaseException as error:  # noqa: BLE001 - a forked child must not run the rest of the session
        print(repr(error), file=sys.stderr)
        return 1
    return 0


def copy_readable(folder: Path) -> Path:
    from airflow_dataloader.workspace import postgres_binaries

    return postgres_binaries.copy(postgres_binaries.find(), folder / "programs")


def start_elsewhere(data_dir: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a server in ``data_dir`` from another process; return that process and the server's id."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from airflow_dataloader.workspace.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), fsync=False)\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        # Otherwise Ctrl-C in a terminal would reach it before the test can clean up.
        start_new_session=True,
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())
