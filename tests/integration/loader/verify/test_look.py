"""A look ends with nothing left at the source, however it ends."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_dataloader.control.standing import standing
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader.sessions.protocol import SnapshotKind, SourceSession
from airflow_dataloader.loader.verify.look import looking
from tests.bench import Bench
from tests.waiting import eventually

#: In this test's own database: looks of other tests may be ending yet.
OWN = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'adl-verify-%'"


def test_a_look_sees_one_state_and_leaves_nothing_behind(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    (row,) = standing(bench.control, [bench.row()])
    with looking(bench.worker, LoadConfig.from_snapshot(row.snapshot)) as look:
        assert look.snapshot.kind is SnapshotKind.EXPORTED
        assert [column.name for column in look.columns] == ["id"]
        bench.source.execute("INSERT INTO items VALUES (2)")
        assert look.session.query(f"SELECT count(*) FROM {look.relation}") == [(1,)]
        assert bench.source.execute(f"SELECT count(*) {OWN}").fetchone() == (1,)
    # The server takes a moment to see that its client has gone.
    gone = f"SELECT count(*) = 0 {OWN}"
    eventually("the end of the session", lambda: bench.source.execute(gone).fetchone() == (True,))


def test_an_interrupt_ends_what_runs_at_the_source(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    (row,) = standing(bench.control, [bench.row()])
    broken = threading.Event()

    def sleep(session: SourceSession) -> None:
        with pytest.raises(SourceUnavailable):
            session.query("SELECT pg_sleep(600)")
        broken.set()

    def look_and_be_interrupted() -> None:
        with looking(bench.worker, LoadConfig.from_snapshot(row.snapshot)) as look:
            threading.Thread(target=sleep, args=(look.session,), daemon=True).start()
            while bench.source.execute(f"SELECT 1 {OWN} AND query LIKE '%pg_sleep%'").fetchone() is None:
                time.sleep(0.02)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_and_be_interrupted()
    assert broken.wait(60)
