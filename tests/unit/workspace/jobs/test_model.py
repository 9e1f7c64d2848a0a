"""Runs and tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.workspace.jobs.model import Run, Submission, TaskRun, TaskSpec, Times
from airflow_dataloader.workspace.jobs.states import LifeCycle

SPEC = TaskSpec(key="t", python_file="/a.py")
TIMES = Times(submitted=1)


def test_a_run_knows_its_tasks_by_their_run_ids() -> None:
    tasks = tuple(TaskRun(run_id=n, spec=SPEC, life_cycle=LifeCycle.PENDING, times=TIMES) for n in (2, 3))
    run = Run(
        run_id=1,
        submission=Submission(name="n", tasks=(SPEC, SPEC)),
        life_cycle=LifeCycle.PENDING,
        times=TIMES,
        tasks=tasks,
    )
    assert run.task(3) is tasks[1]
    assert not run.begun
    assert replace(run, tasks=(tasks[0], replace(tasks[1], pid=7))).begun
    with pytest.raises(StopIteration):
        run.task(1)
