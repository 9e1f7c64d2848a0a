"""The runs' database."""

from __future__ import annotations

import errno
import resource
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.jobs.model import Run, Submission, TaskSpec
from airflow_dataloader.workspace.jobs.states import SUCCEEDED, LifeCycle, Stop, exited, skipped, stopped
from airflow_dataloader.workspace.jobs.store import RunStore

TASKS = (
    TaskSpec(key="a", python_file="/a.py", parameters=("1:2",), timeout=5),
    TaskSpec(key="b", python_file="/b.py", depends_on=("a",)),
)


def submission(token: str | None = None, *, queued: bool = False) -> Submission:
    payload = {"tasks": [{"task_key": "a"}, {"task_key": "b"}]}
    return Submission(
        name="n", tasks=TASKS, idempotency_token=token, timeout=9, queued=queued, payload=payload
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with closing(RunStore(tmp_path / "runs.db")) as opened:
        yield opened


def found(store: RunStore, run_id: int) -> Run:
    run = store.run(run_id)
    assert run is not None
    return run


def test_a_run_comes_back_as_it_was_submitted(store: RunStore, tmp_path: Path) -> None:
    run_id, is_new = store.submit(submission())
    assert is_new
    store.close()
    with closing(RunStore(tmp_path / "runs.db")) as again:
        run = found(again, run_id)
    assert run.submission == submission()
    assert tuple(task.spec for task in run.tasks) == TASKS
    assert (run.life_cycle, run.end, run.stop) == (LifeCycle.PENDING, None, None)
    assert run.times.submitted
    assert not run.times.ended


def test_only_its_owner_may_read_it(store: RunStore, tmp_path: Path) -> None:
    store.submit(submission())
    assert stat.S_IMODE((tmp_path / "runs.db").stat().st_mode) == 0o600


def test_a_task_leads_to_its_run(store: RunStore) -> None:
    run_id, _ = store.submit(submission())
    task = found(store, run_id).tasks[1]
    assert found(store, task.run_id).task(task.run_id).spec.key == "b"
    assert store.run(1) is None


def test_a_token_names_one_run_however_often_and_at_once_it_comes(store: RunStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.submit(submission("adl-1")), range(40)))
    assert len({run_id for run_id, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    store.end(answers[0][0], exited(1))
    assert store.submit(submission("adl-1")) == (answers[0][0], False)
    assert store.submit(submission("adl-2"))[1]


def test_numbers_do_not_come_again_in_a_database_that_was_made_anew(store: RunStore, tmp_path: Path) -> None:
    run_id, _ = store.submit(submission())
    with closing(RunStore(tmp_path / "other.db")) as other:
        assert other.submit(submission())[0] > run_id


def test_a_life(store: RunStore) -> None:
    run_id, _ = store.submit(submission(queued=True))
    assert found(store, run_id).life_cycle is LifeCycle.QUEUED
    task = found(store, run_id).tasks[0]
    store.prepare(task.run_id, "session", "hash", "sc://h:1")
    assert store.knows_token("hash")
    store.move(run_id, LifeCycle.RUNNING)
    store.begin(task.run_id, 17, "boot 15")
    run = found(store, run_id)
    begun = run.tasks[0]
    assert (begun.pid, begun.born, begun.session) == (17, "boot 15", "session")
    assert begun.times.started
    assert run.times.started
    store.move(run_id, LifeCycle.TERMINATING)
    store.move(run_id, LifeCycle.RUNNING)
    assert found(store, run_id).times.started == run.times.started
    store.end(task.run_id, SUCCEEDED)
    assert not store.knows_token("hash")
    assert store.alive() == {run_id: None}
    store.end(run_id, SUCCEEDED)
    assert store.alive() == {}


def test_the_first_end_stays(store: RunStore) -> None:
    run_id, _ = store.submit(submission())
    store.end(run_id, stopped(Stop.CANCEL))
    store.end(run_id, SUCCEEDED)
    store.move(run_id, LifeCycle.RUNNING)
    store.stop(run_id, Stop.TIMEOUT)
    run = found(store, run_id)
    assert (run.end, run.stop) == (stopped(Stop.CANCEL), None)


def test_the_first_stop_stays(store: RunStore) -> None:
    run_id, _ = store.submit(submission())
    store.stop(run_id, Stop.CANCEL)
    store.stop(run_id, Stop.SHUTDOWN)
    assert store.alive() == {run_id: Stop.CANCEL}


def test_pages(store: RunStore) -> None:
    runs = [store.submit(submission())[0] for _ in range(5)]
    store.end(runs[2], SUCCEEDED)
    assert [run.run_id for run in store.page(limit=2, offset=1)] == [runs[3], runs[2]]
    assert [run.run_id for run in store.page(limit=9, offset=0, active=False)] == [runs[2]]
    assert [run.run_id for run in store.page(limit=9, offset=0, active=True)] == [
        *runs[:1:-1][:2],
        *runs[1::-1],
    ]
    times = [found(store, run_id).times.submitted for run_id in runs]
    assert store.page(limit=9, offset=0, since=times[-1] + 1) == []
    assert len(store.page(limit=9, offset=0, since=times[0], until=times[-1])) == 5


def test_a_forgotten_run_is_gone_with_its_tasks_and_its_token(store: RunStore) -> None:
    run_id, _ = store.submit(submission("t"))
    task = found(store, run_id).tasks[0]
    store.end(run_id, SUCCEEDED)
    (moment,) = [run.times.ended for run in store.page(limit=1, offset=0)]
    assert store.ended_before(moment) == []
    assert store.ended_before(moment + 1) == [run_id]
    store.forget(run_id)
    assert store.run(run_id) is store.run(task.run_id) is None
    assert store.submit(submission("t"))[1]


def test_a_change_that_fails_changes_nothing(store: RunStore) -> None:
    with pytest.raises(UnicodeEncodeError):
        store.submit(submission("\ud800"))
    assert store.alive() == {}
    assert store.submit(submission())[1]


def test_a_disk_that_was_full_at_a_commit_leaves_nothing_behind(store: RunStore, tmp_path: Path) -> None:
    run_id, _ = store.submit(submission())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "runs.db-wal").stat().st_size, limits[1]))
    try:
        with pytest.raises(sqlite3.OperationalError):
            store.end(run_id, SUCCEEDED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.alive() == {run_id: None}
    store.end(run_id, exited(1))
    assert found(store, run_id).end == exited(1)


def test_a_run_may_be_over_before_it_began(store: RunStore) -> None:
    run_id, _ = store.submit(submission("t"), end=skipped("no"))
    assert store.alive() == {}
    run = found(store, run_id)
    assert {run.end, *(task.end for task in run.tasks)} == {skipped("no")}
    assert store.submit(submission("t"), end=SUCCEEDED) == (run_id, False)
    assert found(store, run_id).end == skipped("no")


@pytest.mark.parametrize("bad", ["damaged", "a folder"])
def test_a_database_that_cannot_be_used_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "runs.db"
    if bad == "damaged":
        path.write_text("not a database" * 100)
    else:
        path.mkdir()
    with pytest.raises(ConfigurationError, match=f"{path} cannot be used: .+ Fix: .*move the file away"):
        RunStore(path)


def test_a_file_system_without_modes_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    with closing(RunStore(tmp_path / "runs.db")) as store:
        assert store.submit(submission())
