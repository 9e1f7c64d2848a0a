"""A bench whose login nobody else uses, for tests of what a person may get wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import update

from airflow_dataloader.control.tables import dbconfig
from airflow_dataloader.core.selector import parse
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.local import load_locally
from airflow_dataloader.loader.run import run_load
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench

#: Of characters that are written differently in URLs, so that no way of writing it down is missed.
CANARY = "Kanar1en/v0gel+%41=="


class Desk:
    """A bench whose login is the canary, with a table to load."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.secrets = bench.secret_environment | {
            "DATALOADER_SECRET_TEST_SHOP_USER": self.login,
            "DATALOADER_SECRET_TEST_SHOP_PASSWORD": CANARY,
        }
        bench.source.execute("CREATE TABLE items (id integer, name text, updated_at timestamptz)")
        bench.source.execute("INSERT INTO items VALUES (1, 'one', '2026-01-01 10:00:00+00')")
        bench.source.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {self.login}")
        bench.source.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {self.login}")

    login = "canary"

    @property
    def context(self) -> LoaderContext:
        return replace(self.bench.context, secrets=SecretChain(EnvironmentSecrets(self.secrets)))

    def change_source(self, **values: Any) -> None:
        with self.bench.control.begin() as connection:
            connection.execute(update(dbconfig).values(**values))

    def load(self, config_id: int) -> Result:
        return run_load(self.context, self.bench.claim(config_id))

    def refused(
        self,
        config_id: int,
        field: str,
        *words: str,
        error: str = "ConfigurationError",
        state: str | None = None,
    ) -> dict[str, Any]:
        """Load the row; insist on an orderly failure that says all that a person needs; return it."""
        failure = self.refused_with_any_state(config_id, field, *words, error=error)
        assert failure.get("sqlstate") == state
        return failure

    def refused_with_any_state(
        self, config_id: int, field: str, *words: str, error: str = "ConfigurationError"
    ) -> dict[str, Any]:
        """Insist on all that :meth:`refused` does, whatever code the source gave."""
        before = self.bench.engine.inspect(self.bench.target(), "nobody")
        (ended,) = load_locally(
            self.bench.control, lambda: self.context, selector=parse(f"name:{self.bench.schema}.*")
        )
        assert ended.config_id == config_id
        row, load = self.bench.state(config_id), self.bench.history(config_id)[-1]
        assert (ended.status, row.last_status, load.load_status) == ("Failed", "Failed", "Failed")
        assert load.load_end_time is not None
        failure = load.failure
        assert (failure["error"], failure["field"]) == (error, field), failure
        assert ended.message == row.last_status_message == load.log_message
        assert ended.message == f"{failure['message']} Fix: {failure['fix']}."
        for word in (f"config_id {config_id} ", field, *words):
            assert word in ended.message
        after = self.bench.engine.inspect(self.bench.target(), "nobody")
        assert (after and after.version) == (before and before.version)
        assert self.bench.stages() == []
        return dict(failure)
