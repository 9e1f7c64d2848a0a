"""``/faults``: order faults, look at those to come, clear them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from airflow_dataloader.workspace.api_error import invalid
from airflow_dataloader.workspace.app_state import AppState, state_of
from airflow_dataloader.workspace.faults import Fault, Faults
from airflow_dataloader.workspace.routes.parameters import Parameters

router = APIRouter()


def _faults(state: Annotated[AppState, Depends(state_of)]) -> Faults:
    assert state.faults is not None
    return state.faults


Ordered = Annotated[Faults, Depends(_faults)]


@router.get("/faults")
def coming(faults: Ordered) -> dict[str, Any]:
    """Return the faults that are still to come."""
    return {"faults": [fault.shape() for fault in faults.coming()]}


@router.post("/faults")
def order(faults: Ordered, body: Parameters) -> dict[str, Any]:
    """Order ``{"faults": [{"kind": …, "path": …, "times": …, "seconds": …, "status": …}]}``."""
    ordered = body.get("faults")
    if not isinstance(ordered, list) or not all(isinstance(item, dict) for item in ordered):
        raise invalid("'faults' must be a list of objects.")
    faults.add([Fault.read(item) for item in ordered])
    return coming(faults)


@router.delete("/faults")
def clear(faults: Ordered) -> dict[str, Any]:
    """Let no more faults come."""
    faults.clear()
    return coming(faults)
