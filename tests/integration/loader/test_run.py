"""Several loads one after another, and loads that are not ours to run."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import pytest
from sqlalchemy import text

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds, process_tables, run_load
from tests.bench import Bench
from tests.observers import Interfering
from tests.sessions import sleeping
from tests.waiting import until


def test_one_table_s_failure_never_stops_the_next(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    loads = [bench.claim(bench.row("gone")), bench.claim(bench.row("items"))]
    results = process_tables(bench.context, loads)
    assert [result.status for result in results] == [LoadStatus.FAILED, LoadStatus.SUCCEEDED]


def test_a_load_that_was_run_already_is_not_run_again(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row()
    ids = bench.claim(row)
    assert run_load(bench.context, ids).status is LoadStatus.SUCCEEDED
    version = bench.history(row)[0].target_version
    again = run_load(bench.context, ids)
    assert again.status is None
    assert "is over" in again.message
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert found.version == version


def test_a_load_of_another_epoch_is_refused(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    ids = bench.claim(bench.row())
    stale = LoadIds(metadata_id=ids.metadata_id, epoch=ids.epoch + 1)
    assert run_load(bench.context, stale).status is None
    assert bench.engine.inspect(bench.target(), "nobody") is None


def test_what_somebody_else_s_library_says_is_recorded_without_secrets(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def tell() -> None:
        raise RuntimeError(f"login {bench.server.password!r} refused")

    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row()
    bench.observer = Interfering(Moment.PLANNED, tell)
    assert "RuntimeError: login '***' refused" in bench.fail(row).message
    (record,) = bench.history(row)
    assert "login '***' refused" in record.failure["message"]
    assert bench.server.password not in f"{record.failure} {record.log_message} {caplog.text}"
    assert re.search(r"Traceback.*in tell.*RuntimeError: login '\*\*\*' refused", caplog.text, re.DOTALL)


def test_an_interrupt_settles_the_load_and_goes_on_up(bench: Bench) -> None:
    def interrupt_it() -> None:
        raise KeyboardInterrupt

    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    bench.observer = Interfering(Moment.PLANNED, interrupt_it)
    row = bench.row()
    with pytest.raises(KeyboardInterrupt):
        bench.load(row)
    assert bench.state(row).last_status == "Failed"
    assert bench.history(row)[0].load_status == "Cancelled"


@pytest.fixture
def swallowing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SIGINT raises where nobody lets it pass, as in a callback of gRPC or while garbage is collected."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(interrupt, "_seen", threading.Event())
    interrupt.listen()
    heard = signal.getsignal(signal.SIGINT)
    assert callable(heard)

    def swallow(number: int, frame: FrameType | None) -> None:
        with suppress(KeyboardInterrupt):
            heard(number, frame)

    signal.signal(signal.SIGINT, swallow)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("swallowing")
def test_an_interrupt_that_got_lost_before_a_write_stops_the_load(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    bench.observer = Interfering(Moment.CONNECTED, lambda: os.kill(os.getpid(), signal.SIGINT))
    row = bench.row()
    loads = [bench.claim(row), bench.claim(bench.row("others"))]
    with pytest.raises(KeyboardInterrupt):
        process_tables(bench.context, loads)
    assert bench.history(row)[0].load_status == "Cancelled"
    assert bench.engine.inspect(bench.target(), "nobody") is None


@pytest.mark.usefixtures("swallowing")
def test_an_interrupt_that_got_lost_while_spark_works_ends_its_statement(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row(query="SELECT id, length(pg_sleep(600)::text) AS at FROM items")
    asleep = threading.Thread(target=interrupt_when_asleep, args=(bench,))
    asleep.start()
    with pytest.raises(KeyboardInterrupt):
        bench.load(row)
    asleep.join()
    assert bench.history(row)[0].load_status == "Cancelled"
    assert bench.engine.inspect(bench.target(), "nobody") is None
    assert not sleeping(bench.source)


def test_an_interrupt_while_it_settles_leaves_no_published_load_unsettled(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row()
    with bench.control.connect() as somebody:

        def hold() -> None:
            somebody.execute(text("SELECT FROM control.table_control FOR UPDATE"))
            threading.Thread(target=interrupt_and_let_go).start()

        def interrupt_and_let_go() -> None:
            until(lambda: blocked(bench))
            os.kill(os.getpid(), signal.SIGTERM)
            # Not before it was heard, or what waits is answered.
            until(interrupt.seen)
            somebody.rollback()

        bench.observer = Interfering(Moment.SETTLING, hold)
        with interrupt.listening(), pytest.raises(KeyboardInterrupt):
            bench.load(row)
    (loaded,) = bench.history(row)
    assert (loaded.load_status, loaded.rows_inserted) == ("Succeeded", 1)


def blocked(bench: Bench) -> bool:
    """Return whether somebody waits for a lock in the control database."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with bench.control.connect() as connection:
        return connection.execute(waiting).scalar_one() > 0


def interrupt_when_asleep(bench: Bench) -> None:
    """Interrupt this process when its load sleeps at the source."""
    until(lambda: sleeping(bench.source))
    os.kill(os.getpid(), signal.SIGINT)


def test_a_view_makes_its_own_texts_and_says_where_the_source_would_make_others(bench: Bench) -> None:
    bench.source.execute("""
        CREATE VIEW items AS SELECT id, took::text AS took
        FROM (VALUES (1, interval '2:30'), (2, interval '3 days 2:30')) jobs(id, took)
        WHERE took::text NOT LIKE 'PT%'""")
    row = bench.row()
    assert bench.succeed(row).message == ""
    assert bench.target_rows() == Counter([(1, "02:30:00"), (2, "3 days 02:30:00")])
    bench.source.execute(f"ALTER DATABASE {bench.source.info.dbname} SET DateStyle = 'German, DMY'")
    assert "The source has DateStyle = German, DMY, and loads have not" in bench.succeed(row).message
