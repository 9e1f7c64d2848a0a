"""Tables with a cursor, and the windows of their loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_dataloader.core.strategy import NullCursorPolicy
from tests.integration.sources.reads import POSTGRESQL
from tests.source_configs import config

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from airflow_dataloader.sources.dialect import CursorPlan, Frozen


def fill(source_db: psycopg.Connection, sql_type: str, values: list[str | None]) -> None:
    source_db.execute(f"CREATE TABLE t (id int, at {sql_type}, PRIMARY KEY (id))")
    for number, value in enumerate(values):
        source_db.execute(f"INSERT INTO t VALUES (%s, %s::text::{sql_type})", (number, value))


def cursor_of(session: SourceSession, relation: str = "t", **overrides: Any) -> CursorPlan:
    described = session.describe(relation)
    settings = config(**overrides)
    columns = POSTGRESQL.plan_columns(described, settings.value_policy, ("at",)).columns
    return POSTGRESQL.cursor(described, columns, settings)


def window(
    session: SourceSession,
    cursor: CursorPlan,
    low: str | None,
    frozen: Frozen,
    policy: NullCursorPolicy = NullCursorPolicy.INCLUDE,
) -> list[int]:
    where = POSTGRESQL.window_predicate(cursor, low, frozen.high, null_policy=policy)
    return [row for (row,) in session.query(f"SELECT id FROM t WHERE {where} ORDER BY id")]
