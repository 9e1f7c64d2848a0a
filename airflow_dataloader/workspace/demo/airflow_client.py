"""Airflow's REST API, as its administrator asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from airflow_dataloader.exceptions import TransientError

#: Components that are heard of at all times, to their names in the health report.
_COMPONENTS = {"scheduler": "scheduler", "triggerer": "triggerer", "dag-processor": "dag_processor"}
_HEALTH = ("metadatabase", *_COMPONENTS.values())
_SECONDS = 60.0


@dataclass
class AirflowClient:
    """Asks the Airflow at ``address``; logs in when it first has to, and again when it must."""

    address: str
    user: str
    password: str = field(repr=False)
    _token: str | None = field(default=None, repr=False)

    def answers(self) -> bool:
        """Whether anybody answers."""
        return self._open("/api/v2/version") is not None

    def healthy(self) -> bool:
        """Whether every component has been heard of lately."""
        report = self._open("/api/v2/monitor/health") or {}
        return all((report.get(name) or {}).get("status") == "healthy" for name in _HEALTH)

    def unheard(self) -> set[str]:
        """Return the components that have been heard of, but not lately; none where nobody can say."""
        report = self._open("/api/v2/monitor/health") or {}
        if (report.get("metadatabase") or {}).get("status") != "healthy":
            return set()
        return {
            component
            for component, name in _COMPONENTS.items()
            if (said := report.get(name) or {}).get("status") == "unhealthy"
            and said.get(f"latest_{name}_heartbeat")
        }

    def has_dag(self, dag: str) -> bool:
        """Whether the DAG is there and not paused."""
        answer = self.request("GET", f"/dags/{dag}")
        return answer.status_code == 200 and not answer.json()["is_paused"]

    def run(self, dag: str) -> str:
        """Have the DAG run now; return the run's id."""
        return str(self.ask("POST", f"/dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"])

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return an answer of ``/api/v2``; raise TransientError if there is none, or a refusal."""
        answer = self.request(method, path, body)
        if not answer.is_success:
            raise TransientError(
                f"Airflow refuses {method} {path} ({answer.status_code}): {answer.text[:300]}"
            )
        return answer.json()

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Return whatever the API answers below ``/api/v2``; raise TransientError if nobody does."""
        try:
            with self._http() as http:
                answer = http.request(method, f"/api/v2{path}", json=body, headers=self._login(http))
                if answer.status_code == 401:
                    self._token = None
                    answer = http.request(method, f"/api/v2{path}", json=body, headers=self._login(http))
                return answer
        except httpx.HTTPError as error:
            raise TransientError(
                f"Airflow does not answer at {self.address}: {type(error).__name__}."
            ) from error

    def _login(self, http: httpx.Client) -> dict[str, str]:
        if self._token is None:
            login = {"username": self.user, "password": self.password}
            answer = http.post("/auth/token", json=login)
            if not answer.is_success:
                raise TransientError(f"Airflow refuses the login of {self.user} ({answer.status_code}).")
            self._token = str(answer.json()["access_token"])
        return {"Authorization": f"Bearer {self._token}"}

    def _open(self, path: str) -> dict[str, Any] | None:
        """Return an answer that needs no login, or None."""
        try:
            with self._http() as http:
                answer = http.get(path)
                return dict(answer.json()) if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None

    def _http(self) -> httpx.Client:
        # No proxy of this machine stands between it and itself.
        return httpx.Client(base_url=self.address, timeout=_SECONDS, trust_env=False)
