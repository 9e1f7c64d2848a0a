"""A client or a server that dies in the middle of a write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import OutcomeUnknown
from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from tests.integration.loader.engines.spark.workshop import APP, Attempt, Workshop, commit
from tests.sessions import PASSES_THE_GATE, Gate, at_the_gate
from tests.waiting import until

if TYPE_CHECKING:
    import psycopg

COLUMNS = {"id": "int", "at": "int"}
WAITS = f"SELECT 7 AS id, length({PASSES_THE_GATE}::text) AS at"

#: A loader of its own process: overwrites a table, held up at the gate.
CLIENT = """
import sys
from pathlib import Path
from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from tests.integration.loader.engines.spark.workshop import Workshop, commit

home, remote, schema, host, port, database, user, password = sys.argv[1:]
login = dict(host=host, port=int(port), database=database, user=user, password=password)
endpoint = Endpoint(db_type="postgresql", **login)
engine = open_engine(EngineSettings(home=Path(home), remote=remote or None, cores=2))
workshop = Workshop(engine=engine, another=lambda: engine, endpoint=endpoint, home=Path(home), schema=schema)
plan = workshop.query({COLUMNS!r}, {WAITS!r})
engine.overwrite(workshop.table(), engine.read(plan), commit(2))
"""


def start_client(workshop: Workshop, remote: str) -> subprocess.Popen[bytes]:
    """Start a loader that is in the middle of a write until the gate opens."""
    endpoint = workshop.endpoint
    script = CLIENT.replace("{COLUMNS!r}", repr(COLUMNS)).replace("{WAITS!r}", repr(WAITS))
    where = [endpoint.host, str(endpoint.port), endpoint.database, endpoint.user, endpoint.password]
    return subprocess.Popen(
        [sys.executable, "-c", script, str(workshop.home), remote, workshop.schema, *where],
        cwd=Path(__file__).parents[5],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[5])},
    )


@pytest.fixture
def connected(connect_server: ConnectServer, endpoint: Endpoint, home: Path):  # type: ignore[no-untyped-def]
    """A workshop at the warm server, whatever the mode of other tests."""
    settings = EngineSettings(home=home, remote=connect_server.settings.remote)
    with closing(open_engine(settings)) as engine:
        yield Workshop(engine=engine, another=lambda: engine, endpoint=endpoint, home=home)


def kill_mid_write(workshop: Workshop, source: psycopg.Connection, remote: str) -> Gate:
    """Start a client and kill it while its read stands at the gate, which is returned closed."""
    gate = Gate(source)
    client = start_client(workshop, remote)
    until(lambda: at_the_gate(source) or client.poll() is not None)
    assert client.poll() is None
    client.send_signal(signal.SIGKILL)
    client.wait()
    return gate


def let_through(gate: Gate, source: psycopg.Connection) -> None:
    """Open the gate, and give a write time to commit that nothing has stopped."""
    assert at_the_gate(source), "the read ended before, so the test proves nothing"
    open_gate(gate, source)


def open_gate(gate: Gate, source: psycopg.Connection) -> None:
    """Open the gate, and give a write time to commit."""
    gate.open()
    until(lambda: not at_the_gate(source))
    time.sleep(2)


def remote_of(server: ConnectServer) -> str:
    """An address with a session id that this process knows."""
    return f"{server.settings.remote};session_id={uuid4()}"


def test_a_dead_client_s_write_goes_on_and_the_fence_stops_it(
    connected: Workshop, connect_server: ConnectServer, source_db: psycopg.Connection
) -> None:
    connected.fill(connected.table(), COLUMNS, [(1, 1)])
    gate = kill_mid_write(connected, source_db, remote_of(connect_server))
    connected.engine.fence(connected.table(), connected.plan(COLUMNS).columns, commit(3, 0))
    let_through(gate, source_db)
    assert connected.rows(connected.table()) == [(1, 1)]
    assert connected.version(connected.table()) == 1


def test_without_a_fence_a_dead_client_s_write_lands(
    connected: Workshop, connect_server: ConnectServer, source_db: psycopg.Connection
) -> None:
    """Why the fence is there; if Spark ever stops doing this, we want to know."""
    connected.fill(connected.table(), COLUMNS, [(1, 1)])
    kill_mid_write(connected, source_db, remote_of(connect_server)).open()
    until(lambda: connected.version(connected.table()) == 1)
    found = connected.engine.inspect(connected.table(), APP)
    assert found is not None
    assert found.commits[0].commit == commit(2)


@pytest.mark.faults
def test_a_server_that_dies_leaves_the_outcome_unknown(
    endpoint: Endpoint, home: Path, tmp_path: Path, source_db: psycopg.Connection
) -> None:
    with ConnectServer(server_settings(home, cores=2), tmp_path / "server.log") as server:
        settings = EngineSettings(home=home, remote=server.settings.remote)
        with closing(open_engine(settings)) as engine:
            workshop = Workshop(engine=engine, another=lambda: engine, endpoint=endpoint, home=home)
            gate = Gate(source_db)
            plan = workshop.query(COLUMNS, WAITS)
            attempt = Attempt(lambda: engine.overwrite(workshop.table(), engine.read(plan), commit(1)))
            until(lambda: at_the_gate(source_db) or attempt.ended)
            assert not attempt.ended, attempt.error
            server.stop()
            assert isinstance(attempt.join().error, OutcomeUnknown), attempt.error
            gate.open()
    assert server.pid is None


@pytest.mark.faults
def test_a_dead_classic_process_takes_its_write_with_it(
    connected: Workshop, source_db: psycopg.Connection
) -> None:
    connected.fill(connected.table(), COLUMNS, [(1, 1)])
    gate = kill_mid_write(connected, source_db, "")
    connected.engine.fence(connected.table(), connected.plan(COLUMNS).columns, commit(3, 0))
    # Its read may have ended by now: the Java that read has died with it.
    open_gate(gate, source_db)
    assert connected.rows(connected.table()) == [(1, 1)]
    assert connected.version(connected.table()) == 1
