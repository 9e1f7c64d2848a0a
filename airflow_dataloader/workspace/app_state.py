"""What the routes work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from airflow_dataloader.workspace.faults import Faults
from airflow_dataloader.workspace.jobs.execution import RunContext
from airflow_dataloader.workspace.jobs.queue import RunQueue
from airflow_dataloader.workspace.secret_store import SecretFile


@dataclass(frozen=True, kw_only=True)
class AppState:
    """The workspace's parts, as its routes need them."""

    context: RunContext
    queue: RunQueue
    secrets: SecretFile
    owner_token: str = field(repr=False)
    #: None unless the workspace was started with them.
    faults: Faults | None = None
    #: What logs must not show besides the scopes' values.
    hidden: frozenset[str] = field(default=frozenset(), repr=False)


def state_of(request: Request) -> AppState:
    """Return the state of the application that got this request."""
    return cast("AppState", request.app.state.workspace)
