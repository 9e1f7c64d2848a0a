"""The workspace's REST application: routes, access, errors in Databricks' shape."""

from __future__ import annotations

import logging
from typing import cast

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from airflow_dataloader.workspace.access import Access
from airflow_dataloader.workspace.api_error import ApiError
from airflow_dataloader.workspace.app_state import AppState
from airflow_dataloader.workspace.fault_injection import FaultInjection
from airflow_dataloader.workspace.routes import faults, jobs, page, secrets

log = logging.getLogger(__name__)


def application(state: AppState) -> ASGIApp:
    """Return the application, behind its guard."""
    app = FastAPI(title="dataloader workspace", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.workspace = state
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(Exception, _bug)
    for part in (jobs, secrets, page):
        app.include_router(part.router)
    guarded: ASGIApp = app
    if state.faults is not None:
        app.include_router(faults.router)
        guarded = FaultInjection(app, state.faults)
    return Access(guarded, owner=state.owner_token, knows_run=state.context.store.knows_token)


def _api_error(_: Request, error: Exception) -> JSONResponse:
    error = cast("ApiError", error)
    return JSONResponse({"error_code": error.error_code, "message": error.message}, error.status)


def _no_such_route(request: Request, error: Exception) -> JSONResponse:
    status = cast("HTTPException", error).status_code
    message = f"No API found for '{request.method} {request.url.path}'"
    return JSONResponse({"error_code": "ENDPOINT_NOT_FOUND", "message": message}, status)


def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed.", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error_code": "INTERNAL_ERROR", "message": type(error).__name__}, 500)
