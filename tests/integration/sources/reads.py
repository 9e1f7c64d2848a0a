"""Reading a relation as a loader plans it, and reading its wire forms back as text."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from airflow_dataloader.core.plan import PlannedColumn, ReadPlan, Wire
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.reading import open_snapshot, plan_columns
from airflow_dataloader.loader.verify.source_view import SourceView
from airflow_dataloader.sources.postgresql.connection import psycopg_kwargs
from airflow_dataloader.sources.registry import dialect_of
from tests.source_configs import config, endpoint

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.engines.protocol import Engine
    from airflow_dataloader.loader.sessions.protocol import Snapshot, SourceSession

POSTGRESQL = dialect_of("postgresql")

_DAY = 86_400_000_000

_MIDNIGHT = f"(date '1970-01-01' + div({{x}}, {_DAY})::int)::timestamp"
_MOMENT = f"({_MIDNIGHT} + mod({{x}}, {_DAY}) * interval '1 microsecond')"

#: Wire form to PostgreSQL's own text of what it stands for, in integer arithmetic only.
_AS_TEXT = {
    Wire.EPOCH_DAYS: "(date '1970-01-01' + {x}::int)::text",
    Wire.EPOCH_MICROS: f"{_MOMENT}::text || '+00'",
    Wire.WALL_MICROS: f"{_MOMENT}::text",
}


def plan(
    session: SourceSession,
    relation: str,
    policy: ValuePolicy = ValuePolicy.FAIL,
    ordered: Collection[str] = (),
) -> ReadPlan:
    """Describe and plan ``relation``."""
    planned = POSTGRESQL.plan_columns(session.describe(relation), policy, ordered)
    return ReadPlan(
        endpoint=endpoint(), columns=planned.columns, relation=relation, replaced=planned.replaced
    )


def read(session: SourceSession, planned: ReadPlan, order: str | None = None) -> list[tuple[Any, ...]]:
    """Return the rows in wire form."""
    return session.query(planned.select_sql() + (f" ORDER BY {order}" if order else ""))


def decoded(session: SourceSession, column: PlannedColumn, wire: Any) -> Any:
    """Return a wire form as the text of what it stands for; a native value as it is."""
    form = _AS_TEXT.get(column.wire)
    if form is None or wire is None:
        return wire
    return session.query("SELECT " + form.format(x=f"({wire})::numeric"))[0][0]


def as_engine(endpoint: Endpoint, snapshot: Snapshot) -> psycopg.Connection:
    """Connect as the engine's driver does to ask for a read's schema, before any statement of ours."""
    url = urlsplit(POSTGRESQL.jdbc(replace(endpoint, settings=snapshot.settings)).url.removeprefix("jdbc:"))
    connection = psycopg_kwargs(endpoint) | {"options": dict(parse_qsl(url.query)).get("options", "")}
    with pytest.MonkeyPatch.context() as patch:
        # The driver says it by itself, and psycopg by this variable only.
        patch.setenv("PGDATESTYLE", "ISO")
        return psycopg.connect(**connection)


def look(session: SourceSession, **columns: object) -> SourceView:
    """Plan the read of a row that wants four parts by ``id``, as a loader does; ``columns`` are the row's."""
    found = SourceView(
        row_config=config(partition_column="id", num_partitions=4, **columns),
        # It is asked for nothing where the row says how many parts it wants.
        engine=cast("Engine", SimpleNamespace(parallelism=2)),
        session=session,
        dialect=POSTGRESQL,
        journal=Journal(),
    )
    open_snapshot(found)
    plan_columns(found)
    return found
