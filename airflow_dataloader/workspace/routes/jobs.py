"""``jobs/runs/…`` of the Jobs API 2.1 and 2.2."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from airflow_dataloader.workspace.api_error import invalid, no_run
from airflow_dataloader.workspace.app_state import AppState, state_of
from airflow_dataloader.workspace.fault_injection import MET
from airflow_dataloader.workspace.faults import Kind
from airflow_dataloader.workspace.jobs import states
from airflow_dataloader.workspace.jobs.model import Run
from airflow_dataloader.workspace.jobs.payload import number, read_submission
from airflow_dataloader.workspace.jobs.shapes import shape, shape_task
from airflow_dataloader.workspace.jobs.states import Stop
from airflow_dataloader.workspace.routes.output import shown_output
from airflow_dataloader.workspace.routes.parameters import Parameters

router = APIRouter()

#: Runs that one page of the list may hold, and how many it holds by default.
_MOST, _USUAL = 25, 20

#: How a run ends at once that meets a fault.
_ORDERED = {
    Kind.LOST_RUN: states.skipped("A fault was ordered."),
    Kind.SKIPPED: states.skipped("A fault was ordered."),
    Kind.INTERNAL_ERROR: states.broken("A fault was ordered."),
    Kind.TIMED_OUT: states.stopped(Stop.TIMEOUT),
    Kind.CANCELED: states.stopped(Stop.CANCEL),
}

ForState = Annotated[AppState, Depends(state_of)]


def _both(path: str) -> tuple[str, str]:
    return f"/api/2.2/jobs/runs/{path}", f"/api/2.1/jobs/runs/{path}"


def submit(state: ForState, request: Request, body: Parameters) -> dict[str, int]:
    """Take a run on; the same idempotency token always names the same run."""
    met = request.scope.get(MET, ())
    end = next((end for kind, end in _ORDERED.items() if kind in met), None)
    run_id, _ = state.context.store.submit(read_submission(body), end=end)
    if Kind.LOST_RUN in met:
        state.context.store.forget(run_id)
    state.queue.wake()
    return {"run_id": run_id}


def get(state: ForState, asked: Parameters) -> dict[str, Any]:
    """Return a run, or a task by its own run id."""
    run_id = number(asked, "run_id")
    run = _run(state, run_id)
    if run_id != run.run_id:
        return shape_task(run, run_id, state.context.url)
    return shape(run, state.context.url, offset=number(asked, "page_token"))


def get_output(state: ForState, asked: Parameters) -> dict[str, Any]:
    """Return what a task said; a run of a single task stands for it."""
    run_id = number(asked, "run_id")
    run = _run(state, run_id)
    if run_id == run.run_id and len(run.tasks) > 1:
        raise invalid(
            "Retrieving the output of runs with multiple tasks is not supported. "
            "Please retrieve the output of each individual task run instead."
        )
    task = run.tasks[0] if run_id == run.run_id else run.task(run_id)
    return shown_output(state, run, task)


def cancel(state: ForState, asked: Parameters) -> dict[str, Any]:
    """Ask for a run's end, and return at once; an ended run stays as it is."""
    state.queue.stop(_run(state, number(asked, "run_id")).run_id)
    return {}


def list_runs(state: ForState, asked: Parameters) -> dict[str, Any]:
    """Return a page of runs, the newest first."""
    limit, offset = number(asked, "limit", _USUAL) or _MOST, number(asked, "page_token")
    if limit > _MOST:
        raise invalid(f"limit must be at most {_MOST}.")
    active, completed = (
        str(asked.get(name)).casefold() == "true" for name in ("active_only", "completed_only")
    )
    if active and completed:
        raise invalid("active_only and completed_only cannot both be true.")
    offset = offset or number(asked, "offset")
    found = state.context.store.page(
        limit=limit + 1,
        offset=offset,
        active=True if active else False if completed else None,
        since=number(asked, "start_time_from") or None,
        until=number(asked, "start_time_to") or None,
    )
    tasks = str(asked.get("expand_tasks")).casefold() == "true"
    page: dict[str, Any] = {"has_more": len(found) > limit}
    if found:
        page["runs"] = [shape(run, state.context.url, tasks=tasks) for run in found[:limit]]
    if len(found) > limit:
        page["next_page_token"] = str(offset + limit)
    if offset:
        page["prev_page_token"] = str(max(0, offset - limit))
    return page


def _run(state: AppState, run_id: int) -> Run:
    run = state.context.store.run(run_id)
    if run is None:
        raise no_run(run_id)
    return run


for _route, _method, _answer in (
    ("submit", "POST", submit),
    ("get", "GET", get),
    ("get-output", "GET", get_output),
    ("cancel", "POST", cancel),
    ("list", "GET", list_runs),
):
    for _path in _both(_route):
        router.add_api_route(_path, _answer, methods=[_method])
