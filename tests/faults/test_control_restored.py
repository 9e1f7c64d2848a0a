"""The control database is older than the warehouse, or another one: nothing is ever skipped in silence."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Iterator
from uuid import uuid4

import pytest

from airflow_dataloader.cli.main import run
from airflow_dataloader.control import lease
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.intervene import advance_epoch
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench
from tests.conftest import Server
from tests.factories import add_source
from tests.faults.accident import kill_at, published
from tests.faults.items import change_items, loaded_and_changed, make_items, row_of
from tests.integration.loader.breaking import Breaking, break_off


class Restored:
    """The control database as it was when this was made, for the time after a disaster."""

    def __init__(self, bench: Bench, postgres: Server) -> None:
        self._bench = bench
        self.name = f"restored_{uuid4().hex}"
        # Nobody may be connected to a database that is copied.
        bench.control.dispose()
        postgres.create(self.name, bench.control.url.database)
        self.url = postgres.url(self.name)

    def bench(self) -> Bench:
        """The bench over the restored database."""
        restored = copy.copy(self._bench)
        restored.control = create_engine(self.url)
        return restored


@pytest.fixture
def copies(postgres: Server) -> Iterator[list[Restored]]:
    made: list[Restored] = []
    yield made
    for one in made:
        postgres.drop(one.name)


@pytest.mark.parametrize("lost", [pytest.param(1, marks=pytest.mark.faults), 3])
@pytest.mark.parametrize("strategy", ["full", pytest.param("incremental", marks=pytest.mark.faults)])
def test_a_restored_database_is_refused_until_its_epoch_is_lifted(
    bench: Bench,
    postgres: Server,
    copies: list[Restored],
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
    lost: int,
) -> None:
    make_items(bench)
    row = row_of(bench, strategy)
    bench.succeed(row)
    copies.append(Restored(bench, postgres))
    for number in range(lost):
        change_items(bench, number + 1)
        bench.succeed(row)
    change_items(bench, lost + 1)
    restored = copies[0].bench()
    before = restored.target_rows()
    refused = restored.fail(row)
    # Epoch and load id are given out again by a restored database: one lost load is the sharpest case.
    assert "restored from a backup" in refused.message
    assert restored.target_rows() == before
    assert restored.history(row)[-1].failure["error"] == "TargetAhead"
    _run_what_it_says(refused.message, copies[0].url, monkeypatch)
    restored.succeed(row)
    healthy_after_restore(restored, row)
    change_items(restored, lost + 2)
    restored.succeed(row)
    healthy_after_restore(restored, row)


def _copied_before_a_backfill(bench: Bench, postgres: Server, copies: list[Restored]) -> int:
    """Load a row, copy its control database, and ask for a backfill that the copy knows nothing of."""
    make_items(bench, rows=200)
    row = row_of(bench, "incremental")
    bench.succeed(row)
    copies.append(Restored(bench, postgres))
    bench.set(row, load_strategy="chunked_backfill", chunk_size="1 hour")
    return row


@pytest.mark.faults
def test_a_backfill_s_number_that_is_given_out_again_is_another_plan(
    bench: Bench, postgres: Server, copies: list[Restored]
) -> None:
    row = _copied_before_a_backfill(bench, postgres, copies)
    bench.succeed(row)
    restored = copies[0].bench()
    advance_epoch(restored.control, row, 2)
    for number, at in ((900, "2026-01-01 05:00+00"), (901, "2026-01-01 06:30+00")):
        restored.source.execute(f"INSERT INTO items VALUES ({number}, 'new', '{at}')")
    restored.set(row, load_strategy="chunked_backfill", chunk_size="1 hour")
    restored.observer = Breaking(Moment.CHUNKED, 2)
    restored.fail(row)
    restored.observer = LogObserver()
    assert "was there already" not in restored.succeed(row).message
    healthy_after_restore(restored, row)


@pytest.mark.faults
@pytest.mark.parametrize("broken", ["", "at its first chunk", "as it begins"])
def test_chunks_that_wait_for_a_lost_plan_are_not_the_next_one_s(
    bench: Bench, postgres: Server, copies: list[Restored], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    row = _copied_before_a_backfill(bench, postgres, copies)
    bench.observer = Breaking(Moment.CHUNKED, 2)
    lost = bench.fail(row)
    restored = copies[0].bench()
    restored.source.execute("UPDATE items SET name = 'changed' WHERE id IN (10, 100)")
    restored.set(row, load_strategy="chunked_backfill", chunk_size="1 hour")
    if broken == "as it begins":
        with monkeypatch.context() as patch:
            patch.setattr(SparkEngine, "drop_stage", _break)
            restored.fail(row)
    elif broken:
        # So that the stage holds nothing of its own.
        restored.observer = Breaking(Moment.STAGED)
        restored.fail(row)
        restored.observer = LogObserver()
    restored.succeed(row)
    assert lost.metadata_id in {load.id for load in restored.history(row)}
    healthy_after_restore(restored, row)


def _break(*_: object) -> None:
    raise EngineFailed("The engine broke.")


def test_chunks_of_lost_attempts_of_a_plan_are_not_gone_on_from(
    bench: Bench, postgres: Server, copies: list[Restored]
) -> None:
    make_items(bench, rows=200)
    row = row_of(bench, "incremental")
    bench.succeed(row)
    bench.set(row, load_strategy="chunked_backfill", chunk_size="1 hour")
    break_off(bench, row, Moment.CHUNKED, 1)
    copies.append(Restored(bench, postgres))
    break_off(bench, row, Moment.CHUNKED, 2)
    restored = copies[0].bench()
    # Into the first chunk: its second commit would have an epoch that the table has seen, and be skipped.
    restored.source.execute("INSERT INTO items VALUES (900, 'new', '2026-01-01 00:30+00')")
    restored.observer = LogObserver()
    assert "restored from a backup" in restored.succeed(row).message
    healthy_after_restore(restored, row)


def test_a_lost_load_s_commit_is_not_taken_for_that_of_the_load_with_its_number(
    bench: Bench, postgres: Server, copies: list[Restored]
) -> None:
    make_items(bench)
    row = row_of(bench, "incremental")
    bench.succeed(row)
    copies.append(Restored(bench, postgres))
    change_items(bench, 1)
    lost = bench.succeed(row)
    restored = copies[0].bench()
    advance_epoch(restored.control, row, 2)
    ids = restored.claim(row)
    assert ids.metadata_id == lost.metadata_id
    lease.start(restored.control, ids.metadata_id, ids.epoch, nonce="lost")
    restored.pretend_lease_ended(row)
    restored.give_up()
    assert restored.succeed(row).receipt.adopted is None
    healthy_after_restore(restored, row)


def healthy_after_restore(bench: Bench, row: int) -> None:
    """Compare; the lost loads' commits are on nobody's record, so only rows and status are asked."""
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).last_status == "Succeeded"
    assert not bench.stages()


def _run_what_it_says(message: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = re.search(r"`(dataloader db advance-epoch [^`]*)`", message)
    assert command is not None, message
    monkeypatch.setenv("DATALOADER_CONTROL_URL", url)
    assert run(shlex.split(command[1])[1:]) == 0


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["planned", "published"])
def test_a_killed_load_after_a_restore(
    bench: Bench,
    postgres: Server,
    copies: list[Restored],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    make_items(bench)
    row = row_of(bench, "incremental")
    bench.succeed(row)
    copies.append(Restored(bench, postgres))
    change_items(bench, 1)
    bench.succeed(row)
    restored = copies[0].bench()
    _run_what_it_says(restored.fail(row).message, copies[0].url, monkeypatch)
    change_items(restored, 2)
    ids = kill_at(restored, copies[0].url, row, moment)
    assert published(restored, ids) == (moment == "published")
    change_items(restored, 3)
    restored.succeed(row)
    healthy_after_restore(restored, row)


@pytest.mark.parametrize("strategy", ["incremental", pytest.param("full", marks=pytest.mark.faults)])
def test_a_new_database_beside_an_old_warehouse(
    bench: Bench, postgres: Server, control_template: str, strategy: str
) -> None:
    row = loaded_and_changed(bench, strategy)
    name = f"control_{uuid4().hex}"
    postgres.create(name, control_template)
    try:
        fresh = copy.copy(bench)
        fresh.control = create_engine(postgres.url(name))
        _become_another_installation(fresh)
        add_source(fresh.control)
        assert fresh.installation != bench.installation
        new_row = row_of(fresh, strategy)
        assert new_row == row, "the same row id, and the same epochs again: only the installation differs"
        for number in (2, 3):
            fresh.succeed(new_row)
            healthy_after_restore(fresh, new_row)
            change_items(fresh, number)
        killed = kill_at(fresh, postgres.url(name), new_row, "published")
        assert published(fresh, killed)
        fresh.succeed(new_row)
        healthy_after_restore(fresh, new_row)
    finally:
        fresh.control.dispose()
        postgres.drop(name)


def _become_another_installation(bench: Bench) -> None:
    # The tests' databases are copies of one template; a migration would have given it an id of its own.
    with bench.control.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE control.installation SET id = replace(gen_random_uuid()::text, '-', '')"
        )
