"""A transaction: its round trips on the wire, its limits, and what its errors become."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, TextClause, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.tables import VERSION, dbconfig, installation, table_control
from airflow_dataloader.control.transaction import LAST, round_trips, savepoint, transaction
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, NotMigrated
from tests.factories import add_row, add_source
from tests.faults.proxy import through
from tests.integration.control.counting_proxy import CountingProxy

ONE = text("SELECT 1")


@pytest.fixture
def proxy(postgres: Any) -> Iterator[CountingProxy]:
    with CountingProxy(postgres.port) as running:
        yield running


@pytest.fixture
def far(proxy: CountingProxy, control_url: str) -> Iterator[Engine]:
    """An engine behind the proxy, connected and known to be migrated."""
    engine = create_engine(through(control_url, proxy.port))
    with transaction(engine) as connection:
        connection.execute(ONE)
    yield engine
    engine.dispose()


class Trips:
    """Counts what happens inside it, on the wire and by the engine's own counter."""

    def __init__(self, proxy: CountingProxy, engine: Engine) -> None:
        self._proxy, self._engine = proxy, engine

    def __enter__(self) -> Trips:
        self._wire, self._own = self._proxy.round_trips, round_trips(self._engine)
        return self

    def __exit__(self, *_: object) -> None:
        self.wire = self._proxy.round_trips - self._wire
        self.own = round_trips(self._engine) - self._own


def test_one_statement_is_one_round_trip(proxy: CountingProxy, far: Engine) -> None:
    with Trips(proxy, far) as trips, transaction(far, changed_by="anna") as connection:
        assert connection.execute(select(installation.c.only_row), execution_options=LAST).scalar_one()
    assert (trips.wire, trips.own) == (1, 1)


@pytest.mark.parametrize("statements", [1, 2, 5])
def test_n_statements_are_n_plus_one(proxy: CountingProxy, far: Engine, statements: int) -> None:
    with Trips(proxy, far) as trips, transaction(far) as connection:
        for number in range(statements):
            query = text("SELECT :number + 0")
            assert connection.execute(query, {"number": number}).scalar_one() == number
    assert (trips.wire, trips.own) == (statements + 1, statements + 1)


def test_a_last_statement_takes_the_commit_along(proxy: CountingProxy, far: Engine, control: Engine) -> None:
    add_source(control)
    with Trips(proxy, far) as trips, transaction(far) as connection:
        connection.execute(ONE)
        values = {"is_active": False, "db_config_key": "shop"}
        inserted = insert(table_control).values(values).returning(table_control.c.config_id)
        config_id = connection.execute(inserted, execution_options=LAST).scalar_one()
    assert (trips.wire, trips.own) == (2, 2)
    with transaction(control) as connection:
        assert connection.execute(select(table_control.c.config_id)).scalar_one() == config_id


def test_no_statement_is_no_round_trip(proxy: CountingProxy, far: Engine) -> None:
    with Trips(proxy, far) as trips, transaction(far):
        pass
    assert (trips.wire, trips.own) == (0, 0)


def test_rowcount_survives_the_pipeline(control: Engine) -> None:
    add_source(control)
    add_row(control)
    add_row(control)
    with transaction(control) as connection:
        update = text("UPDATE control.table_control SET priority = 1")
        assert connection.execute(update, execution_options=LAST).rowcount == 2


def test_many_rows_in_one_call(control: Engine) -> None:
    add_source(control)
    rows = [{"is_active": False, "source_table_name": f"t{number}"} for number in range(3)]
    with transaction(control, change_source="bulk_edit") as connection:
        connection.execute(insert(table_control), rows)
        sources = connection.execute(text("SELECT DISTINCT change_source FROM control.table_control_history"))
        assert list(sources.scalars()) == ["bulk_edit"]


def test_a_statement_after_the_last_is_a_bug_that_shows(control: Engine) -> None:
    with transaction(control) as connection:
        connection.execute(ONE, execution_options=LAST)
        with pytest.raises(RuntimeError, match="last"):
            connection.execute(ONE)


def test_an_error_rolls_back_whichever_statement_it_meets(proxy: CountingProxy, far: Engine) -> None:
    add_source(far)
    row = add_row(far)
    bad = text("UPDATE control.table_control SET priority = 9, last_status = 'Succeeded'")
    good = text("UPDATE control.table_control SET priority = 5")

    def run(statements: list[TextClause], options: Mapping[str, Any]) -> None:
        with transaction(far) as connection:
            for statement in statements[:-1]:
                connection.execute(statement)
            connection.execute(statements[-1], execution_options=options)

    for statements, options in product([[bad], [good, bad]], [{}, LAST]):
        with pytest.raises(ConfigurationError):
            run(statements, options)
    with transaction(far) as connection:
        found = connection.execute(select(table_control.c.config_id, table_control.c.priority))
        assert found.all() == [(row, 0)]


@pytest.mark.parametrize(
    ("hosts", "place"),
    [("127.0.0.1:1", "db at 127.0.0.1:1 "), ("127.0.0.1:1,localhost:2", "db at 127.0.0.1,localhost ")],
)
def test_a_database_that_is_away_is_named_by_its_place(hosts: str, place: str) -> None:
    engine = create_engine(f"postgresql://ann:s3cret@{hosts}/db")
    with pytest.raises(ControlUnavailable) as away, transaction(engine) as connection:
        connection.execute(ONE)
    assert place in away.value.message
    assert "s3cret" not in str(away.value)


def test_an_exception_of_the_caller_rolls_back(control: Engine) -> None:
    add_source(control)

    def run() -> None:
        with transaction(control) as connection:
            connection.execute(insert(table_control).values(is_active=False))
            raise KeyError("bug")

    with pytest.raises(KeyError):
        run()
    with transaction(control) as connection:
        assert connection.execute(select(table_control)).all() == []


def test_limits_hold_inside_and_leave_the_session_as_it_was(control: Engine) -> None:
    query = text(
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('idle_in_transaction_session_timeout')"
    )
    with transaction(control) as connection:
        assert connection.execute(query).one() == ("30s", "5s", "30s")
    with control.connect() as connection:
        assert connection.execute(query).one() == ("0", "0", "0")


def test_a_readonly_transaction_writes_nothing(control: Engine) -> None:
    with (
        pytest.raises(Exception, match="read-only transaction"),
        transaction(control, readonly=True) as connection,
    ):
        connection.execute(insert(table_control).values(is_active=False))


def test_a_statement_that_takes_too_long_is_transient(control: Engine) -> None:
    with (
        pytest.raises(ControlUnavailable, match="is busy: canceling statement due to statement timeout"),
        transaction(control, settings={"statement_timeout": "50ms"}) as connection,
    ):
        connection.execute(text("SELECT pg_sleep(5)"))


def test_a_lock_that_is_not_given_is_transient(control: Engine) -> None:
    add_source(control)
    with transaction(control) as holder:
        holder.execute(text("LOCK TABLE control.table_control"))
        with (
            pytest.raises(ControlUnavailable, match="lock timeout"),
            transaction(control, settings={"lock_timeout": "50ms"}) as connection,
        ):
            connection.execute(select(table_control))


def test_a_server_that_is_only_a_standby_now_may_be_back_soon(control: Engine) -> None:
    with (
        pytest.raises(ControlUnavailable, match="read-only transaction"),
        transaction(control, readonly=True) as connection,
    ):
        connection.execute(text("DELETE FROM control.table_control"))


def test_a_connection_that_the_server_closed_is_replaced_unseen(control_url: str, control: Engine) -> None:
    def backend() -> int:
        with transaction(control) as connection:
            return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    first = backend()
    with psycopg.connect(control_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert backend() != first


_MANY_FILES = """
import os, resource, sys
from sqlalchemy import text
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.transaction import transaction

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (2_000 if hard < 0 else min(2_000, hard), hard))
files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
engine = create_engine(sys.argv[1])
for _ in range(2):
    with transaction(engine) as connection:
        connection.execute(text("SELECT 1"))
"""


def test_a_process_may_hold_more_files_than_select_knows(control_url: str, control: Engine) -> None:
    command = [sys.executable, "-c", _MANY_FILES, control_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_connection_lost_in_a_transaction_is_unavailable(proxy: CountingProxy, far: Engine) -> None:
    def run() -> None:
        with transaction(far) as connection:
            connection.execute(ONE)
            proxy.cut()
            connection.execute(ONE)

    with pytest.raises(ControlUnavailable):
        run()


def test_all_connections_in_use(control_url: str) -> None:
    engine = create_engine(control_url)
    held = [engine.connect() for _ in range(15)]
    engine.pool._timeout = 0.05
    try:
        with pytest.raises(ControlUnavailable, match="are in use"), transaction(engine) as connection:
            connection.execute(ONE)
    finally:
        for connection in held:
            connection.close()
        engine.dispose()


def test_a_server_that_is_not_there(postgres: Any) -> None:
    with CountingProxy(postgres.port) as proxy:
        port = proxy.port
    engine = create_engine(f"postgresql://anna:canary-password@127.0.0.1:{port}/dataloader")
    with pytest.raises(ControlUnavailable) as caught, transaction(engine) as connection:
        connection.execute(ONE)
    assert f"The control database dataloader at 127.0.0.1:{port} cannot be reached" in caught.value.message
    assert "see that the server runs" in str(caught.value.fix)


def test_a_wrong_password_is_said_without_it(control_url: str) -> None:
    address = make_url(control_url).set(password="canary-password")
    engine = create_engine(address.render_as_string(hide_password=False))
    with (
        pytest.raises(ControlUnavailable, match="password authentication failed") as caught,
        transaction(engine) as connection,
    ):
        connection.execute(ONE)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "canary-password" not in f"{shown} {shown!r}"
        shown = shown.__cause__ or shown.__context__
    assert "canary-password" not in f"{engine!r} {engine.url!r} {engine.url}"


def test_a_parameter_that_the_driver_does_not_take_is_named() -> None:
    engine = create_engine("postgresql://ann:s3cret@127.0.0.1:1/d?connect_timeout=abc")
    with (
        pytest.raises(ConfigurationError, match="connect_timeout has a wrong value") as caught,
        transaction(engine) as connection,
    ):
        connection.execute(ONE)
    assert caught.value.field == "DATALOADER_CONTROL_URL"
    assert "s3cret" not in str(caught.value)


def test_a_database_without_schema_is_not_migrated(postgres: Any) -> None:
    postgres.create("unmigrated")
    engine = create_engine(postgres.url("unmigrated"))
    try:
        with pytest.raises(NotMigrated) as caught, transaction(engine) as connection:
            connection.execute(ONE)
        assert "unmigrated at 127.0.0.1" in caught.value.message
        assert caught.value.fix == "dataloader db migrate"
    finally:
        engine.dispose()
        postgres.drop("unmigrated")


@pytest.mark.parametrize(
    ("version", "fix"), [("0001", "dataloader db migrate"), (VERSION, None), ("9999", None)]
)
def test_an_older_schema_is_refused_and_a_newer_one_decides_by_itself(
    control_url: str, control: Engine, version: str, fix: str | None
) -> None:
    with psycopg.connect(control_url) as connection:
        connection.execute("UPDATE control.dataloader_version SET version_num = %s", [version])
    if fix is None:
        with transaction(control) as connection:
            assert connection.execute(ONE).scalar_one() == 1
        return
    for _ in range(2):
        with (
            pytest.raises(NotMigrated, match=f"has version 0001, and this package needs {VERSION}") as caught,
            transaction(control) as connection,
        ):
            connection.execute(insert(table_control).values(is_active=False), execution_options=LAST)
        assert caught.value.fix == fix
    with psycopg.connect(control_url) as connection:
        assert connection.execute("SELECT count(*) FROM control.table_control").fetchone() == (0,)


def test_a_schema_that_dropped_this_version_is_refused(control_url: str, control: Engine) -> None:
    with psycopg.connect(control_url) as connection:
        source = connection.execute(
            "SELECT pg_get_functiondef('control.require_version(text)'::regprocedure)"
        ).fetchone()
        assert source is not None
        connection.execute(source[0].replace("'0002'", "'0009'"))
        connection.execute("UPDATE control.dataloader_version SET version_num = '0010'")
    with (
        pytest.raises(NotMigrated, match=f"has version 0010, and this package only knows {VERSION}"),
        transaction(control) as connection,
    ):
        connection.execute(ONE)


def test_a_bug_stays_a_bug(control: Engine) -> None:
    with pytest.raises(ProgrammingError, match="syntax error"), transaction(control) as connection:
        connection.execute(text("SELEKT 1"))


def test_parameters_stay_out_of_errors(control: Engine) -> None:
    with pytest.raises(ProgrammingError) as caught, transaction(control) as connection:
        connection.execute(text("SELEKT :secret"), {"secret": "canary-value"})
    assert "canary-value" not in str(caught.value)


def test_threads_do_not_share_a_turn(control: Engine) -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(20):
            with transaction(control, changed_by=f"thread-{number}") as connection:
                query = text("SELECT current_setting('dataloader.changed_by')")
                found = connection.execute(query, execution_options=LAST).scalar_one()
            if found != f"thread-{number}":
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_endless_pause_can_be_read(control: Engine) -> None:
    add_source(control, paused_until="infinity")
    add_source(control, key="other", paused_until="-infinity")
    add_source(control, key="third", paused_until="2030-01-01T00:00:00+02:00")
    with transaction(control) as connection:
        query = select(dbconfig.c.paused_until).order_by(dbconfig.c.paused_until)
        lowest, some, highest = connection.execute(query).scalars()
    assert (lowest, highest) == (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    assert some == datetime(2029, 12, 31, 22, tzinfo=UTC)


def test_an_error_is_said_once(postgres: Any, caplog: pytest.LogCaptureFixture) -> None:
    engine = create_engine(postgres.url("postgres"))
    two = text("SELECT 1 FROM control.table_control; SELECT 2")
    for statement in (ONE, two, text("SELECT count(*) FROM control.historical_metadata")):
        with pytest.raises(NotMigrated), transaction(engine) as connection:
            connection.execute(statement)
        with pytest.raises(NotMigrated), transaction(engine) as connection:
            connection.execute(statement, execution_options=LAST)
    engine.dispose()
    assert caplog.records == []


def test_an_outage_that_is_handled_logs_no_traceback(
    control_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_engine(control_url)
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    over = threading.Event()

    def end_sessions() -> None:
        with psycopg.connect(control_url, autocommit=True) as killer:
            while not over.is_set():
                killer.execute(others)
                over.wait(0.005)

    thread = threading.Thread(target=end_sessions)
    thread.start()
    outages = 0
    try:
        for number in range(600):
            try:
                with transaction(engine) as connection:
                    connection.execute(ONE, execution_options=LAST if number % 2 else {})
                    if number % 3 == 0:
                        raise KeyError
            except ControlUnavailable:
                outages += 1
            except KeyError:
                pass
    finally:
        over.set()
        thread.join()
        engine.dispose()
    assert outages
    assert [
        record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}
    ] == []


def test_a_database_that_takes_no_writes_says_so(control: Engine) -> None:
    with (
        pytest.raises(
            ControlUnavailable, match=r"is read-only: .* Fix: see that the URL leads to the primary"
        ),
        transaction(control, readonly=True) as connection,
    ):
        connection.execute(text("UPDATE control.table_control SET priority = 1"))


def test_a_missing_value_shows_no_row(control: Engine) -> None:
    statement = text(
        "INSERT INTO control.table_control_dbconfig (db_config_key, db_config_value, db_type)"
        " VALUES ('k', '{\"password\": \"canary\"}', NULL)"
    )
    with pytest.raises(ConfigurationError) as caught, transaction(control) as connection:
        connection.execute(statement)
    assert str(caught.value) == (
        "The control database refused: table_control_dbconfig.db_type has to have a value. Fix: set db_type."
    )
    assert caught.value.field == "db_type"


def test_a_value_that_has_no_room_is_a_sentence(control: Engine) -> None:
    add_source(control, "shop")
    add_row(control)
    with (
        pytest.raises(ConfigurationError, match=r"value too long .* Fix: shorten it"),
        transaction(control) as one,
    ):
        one.execute(text("UPDATE control.table_control SET owner = repeat('x', 300)"))


def test_what_is_refused_at_a_savepoint_leaves_no_lock(control: Engine) -> None:
    add_source(control, "shop")
    locks = text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'transactionid'")
    with transaction(control) as connection:
        for number in range(20):
            with pytest.raises(DBAPIError), savepoint(connection):
                connection.execute(
                    text("INSERT INTO control.table_control (owner) VALUES (repeat('x', 300))")
                )
            with savepoint(connection):
                connection.execute(
                    text("UPDATE control.table_control_dbconfig SET max_concurrent_loads = :number"),
                    {"number": number + 1},
                )
        assert connection.execute(locks).scalar_one() <= 21
    with transaction(control) as connection:
        kept = text("SELECT max_concurrent_loads FROM control.table_control_dbconfig")
        assert connection.execute(kept).scalar_one() == 20
