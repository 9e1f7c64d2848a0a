"""A page for people who follow ``run_page_url``."""

from __future__ import annotations

from html import escape
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from airflow_dataloader.workspace.api_error import no_run
from airflow_dataloader.workspace.app_state import AppState, state_of
from airflow_dataloader.workspace.jobs.model import Run, TaskRun
from airflow_dataloader.workspace.jobs.payload import number
from airflow_dataloader.workspace.routes.output import shown_output

router = APIRouter()

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Run {run_id}</title>
<style>body {{ font: 15px sans-serif; margin: 2em; }}
pre {{ background: #eee; padding: 1em; overflow: auto; }}</style><h1>{name}</h1>{tasks}</html>"""
_TASK = "<h2>{key}: {state}</h2><p>{message}</p><pre>{logs}</pre>"
#: A log is text, whatever it looks like.
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@router.get("/runs/{asked}", response_class=HTMLResponse)
def page(state: Annotated[AppState, Depends(state_of)], asked: str) -> HTMLResponse:
    """Return a run's page: state and logs of each of its tasks."""
    run_id = number({"run_id": asked}, "run_id")
    run = state.context.store.run(run_id)
    if run is None:
        raise no_run(run_id)
    tasks = [task for task in run.tasks if run_id in (run.run_id, task.run_id)]
    text = _PAGE.format(
        run_id=run_id,
        name=escape(f"{run.submission.name}: {_state(run)}"),
        tasks="".join(_shown(state, run, task) for task in tasks),
    )
    return HTMLResponse(text, headers=_HEADERS)


def _shown(state: AppState, run: Run, task: TaskRun) -> str:
    return _TASK.format(
        key=escape(task.spec.key),
        state=escape(_state(task)),
        message=escape(task.end.message if task.end else ""),
        logs=escape(shown_output(state, run, task)["logs"]),
    )


def _state(run: Run | TaskRun) -> str:
    result = run.end.result if run.end is not None else None
    return str(result or run.life_cycle)
