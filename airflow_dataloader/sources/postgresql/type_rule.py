"""How a type's values are kept: what a rule for one type says, and nothing about policies."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dataloader.core.plan import Wire


@dataclass(frozen=True, kw_only=True)
class TypeRule:
    """How values of one column travel, and which of them can be kept exactly."""

    #: SQL expression that is exact for every value in ``kept``.
    value: str
    #: SQL type of ``value``.
    sql_type: str
    #: Delta type at the target.
    type: str
    wire: Wire = Wire.NATIVE
    #: Predicate, never false for NULL: the values that can be kept exactly. None: all of them.
    kept: str | None = None
    #: Condition and expression of a cheaper way that is exact for most values.
    fast: tuple[str, str] | None = None
    #: Whether the driver itself refuses what is not kept, so that no guard is needed to notice it.
    refused_by_driver: bool = False
