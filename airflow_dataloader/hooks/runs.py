"""Reading what the Jobs API says of a run, without its secrets or surprises."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError

from airflow_dataloader.core.run_api import Run, RunState

#: What the Jobs API answers where it knows no such run.
_NO_SUCH_RUN = frozenset({400, 404})

#: Its words for it. A gateway's page, or the refusal of a question, has others.
_GONE = ("does not exist", "RESOURCE_DOES_NOT_EXIST")

_PENDING = frozenset({"PENDING", "QUEUED", "BLOCKED", "WAITING_FOR_RETRY"})
_ENDED = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
_CANCELLED = frozenset({"CANCELED", "TIMEDOUT"})


def read_run(answer: object) -> Run:
    """Return the run that ``runs/get`` describes. A life cycle state that is new to us counts as running.

    Raises ValueError where the answer describes no run at all.
    """
    if not isinstance(answer, Mapping):
        raise ValueError(f"the answer is a {type(answer).__name__}, and no run")
    state = _part(answer, "state")
    life_cycle, result = str(state.get("life_cycle_state") or ""), str(state.get("result_state") or "")
    if life_cycle in _PENDING:
        return Run(state=RunState.PENDING)
    if life_cycle not in _ENDED:
        return Run(state=RunState.RUNNING)
    details = _part(_part(answer, "status"), "termination_details")
    said = str(state.get("state_message") or details.get("message") or "").strip()
    name = result or life_cycle
    return Run(
        state=RunState.ENDED,
        reason=f"{name}: {said}" if said else name,
        cancelled=result in _CANCELLED,
        termination_code=details.get("code"),
    )


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, Mapping) else {}


def is_missing(error: DatabricksApiError) -> bool:
    """Return whether the answer may mean that there is no such run."""
    return error.http_status_code in _NO_SUCH_RUN


def is_gone(error: DatabricksApiError) -> bool:
    """Return whether the answer says in so many words that there is no such run."""
    return is_missing(error) and any(words in str(error) for words in _GONE)


def same_host(one: str | None, other: str | None) -> bool:
    """Return whether two names of a workspace mean the same; a run without one is taken for ours."""
    return one is None or other is None or bare_host(one) == bare_host(other)


def bare_host(name: str) -> str:
    """Return a workspace's host without scheme, port and path; this machine has one name."""
    host = name.strip().casefold().partition("://")[2] or name.strip().casefold()
    host = host.partition("/")[0]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return "localhost" if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return host
