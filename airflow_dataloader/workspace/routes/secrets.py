"""``secrets/get``."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends

from airflow_dataloader.workspace.api_error import ApiError
from airflow_dataloader.workspace.app_state import AppState, state_of
from airflow_dataloader.workspace.routes.parameters import Parameters

router = APIRouter(prefix="/api/2.0/secrets")


@router.get("/get")
def get(state: Annotated[AppState, Depends(state_of)], asked: Parameters) -> dict[str, str]:
    """Return a secret, its value in base64."""
    scope, key = str(asked.get("scope", "")), str(asked.get("key", ""))
    value = state.secrets.get(scope, key)
    if value is not None:
        return {"key": key, "value": base64.b64encode(value.encode()).decode()}
    message = f"Secret does not exist with scope: {scope} and key: {key}"
    if not state.secrets.has_scope(scope):
        message = f"Scope {scope} does not exist!"
    raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)
