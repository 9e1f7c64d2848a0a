"""A look ends with nothing left at the source, however it ends."""

from __future__ import annotations

import threading

import pytest

from airflow_dataloader.control.row_state import row_states
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader.sessions.protocol import SnapshotKind, SourceSession
from airflow_dataloader.loader.verify.source_view import open_source_view
from tests.bench import Bench
from tests.sessions import sessions, sleeping
from tests.waiting import eventually, until

LOOKS = "adl-verify-%"
#: Those that may read; on a slow machine the session that watches them is there, too.
READERS = "adl-verify-%-________"


def test_a_look_sees_one_state_and_leaves_nothing_behind(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    (row,) = row_states(bench.control, [bench.row()])
    with open_source_view(bench.context, LoadConfig.from_snapshot(row.snapshot)) as look:
        assert look.snapshot.kind is SnapshotKind.EXPORTED
        assert [column.name for column in look.columns] == ["id"]
        bench.source.execute("INSERT INTO items VALUES (2)")
        assert look.session.query(f"SELECT count(*) FROM {look.relation}") == [(1,)]
        assert sessions(bench.source, READERS) == 1
    # The server takes a moment to see that its client has gone.
    eventually("the end of the session", lambda: sessions(bench.source, LOOKS) == 0)


def test_an_interrupt_ends_what_runs_at_the_source(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    (row,) = row_states(bench.control, [bench.row()])
    broken = threading.Event()

    def sleep(session: SourceSession) -> None:
        with pytest.raises(SourceUnavailable):
            session.query("SELECT pg_sleep(600)")
        broken.set()

    def look_and_be_interrupted() -> None:
        with open_source_view(bench.context, LoadConfig.from_snapshot(row.snapshot)) as look:
            threading.Thread(target=sleep, args=(look.session,), daemon=True).start()
            until(lambda: sleeping(bench.source))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_and_be_interrupted()
    assert broken.wait(60)
