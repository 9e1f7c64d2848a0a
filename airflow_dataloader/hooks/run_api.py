"""The Jobs API behind an Airflow connection, as the domain asks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.sdk.exceptions import AirflowException
from requests.exceptions import RequestException
from tenacity import RetryError

from airflow_dataloader.core.run_api import Run, RunApiUnavailable, RunState
from airflow_dataloader.hooks.runs import is_gone, is_missing, read_run, same_host

_Answer = TypeVar("_Answer")

#: What the hook raises where there is no answer: Airflow's own for a connection that is missing and for
#: retries used up, ValueError for a connection or an answer that cannot be read. Anything else is a bug.
_NO_ANSWER = (AirflowException, RequestException, RetryError, OSError, ValueError)


class DatabricksRunApi:
    """Implements :class:`airflow_dataloader.core.run_api.RunApi` over a DatabricksHook.

    A question is asked once, and waits ``timeout_seconds`` for its answer: whoever asks will ask again later.
    """

    def __init__(self, databricks_conn_id: str, *, timeout_seconds: int = 20) -> None:
        self._hook = DatabricksHook(
            databricks_conn_id, timeout_seconds=timeout_seconds, retry_limit=1, caller="airflow_dataloader"
        )

    def state(self, workspace_host: str | None, databricks_run: str) -> Run:
        """Return the run's state: GONE where the workspace that is on record with it knows no such run.

        UNKNOWN for another workspace's run, and for one that is missing here and may be another's.
        """
        if not self._is_ours(workspace_host, databricks_run):
            return Run(state=RunState.UNKNOWN)
        found = self._ask(lambda: read_run(self._hook.get_run(int(databricks_run))))
        if isinstance(found, Run):
            return found
        gone = workspace_host is not None and is_gone(found)
        return Run(state=RunState.GONE if gone else RunState.UNKNOWN)

    def cancel(self, workspace_host: str | None, databricks_run: str) -> None:
        """Ask for the run's end, if it is one of this workspace's."""
        if self._is_ours(workspace_host, databricks_run):
            self._ask(lambda: self._hook.cancel_run(int(databricks_run)))

    def _is_ours(self, workspace_host: str | None, databricks_run: str) -> bool:
        return databricks_run.isdecimal() and same_host(workspace_host, self._reach(lambda: self._hook.host))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer | DatabricksApiError:
        """Return the answer, or the error that may mean that there is no such run."""
        try:
            return self._reach(question)
        except DatabricksApiError as error:
            if is_missing(error):
                return error
            raise RunApiUnavailable(f"HTTP status {error.http_status_code}") from error

    @staticmethod
    def _reach(question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except DatabricksApiError:
            raise
        except _NO_ANSWER as error:
            # Not chained: what refuses to send a header quotes it, and the token in it.
            raise RunApiUnavailable(f"{type(error).__name__}") from None
