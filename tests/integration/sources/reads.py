"""Reading a relation as a loader plans it, and reading its wire forms back as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_dataloader.core.plan import PlannedColumn, ReadPlan, Wire
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.sources.registry import dialect_of
from tests.source_configs import endpoint

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_dataloader.loader.sessions.protocol import SourceSession

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
