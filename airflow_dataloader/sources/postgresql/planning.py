"""The SELECT list: one expression a column, by the row's value_policy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from airflow_dataloader.core.names import column_name
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError, ValueRefused
from airflow_dataloader.sources.columns import refuse_collisions
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import ColumnPlan, DescribedColumn
from airflow_dataloader.sources.postgresql.keys import in_one_spelling
from airflow_dataloader.sources.postgresql.quoting import literal, quote
from airflow_dataloader.sources.postgresql.type_rule import TypeRule
from airflow_dataloader.sources.postgresql.types import as_text, keep
from airflow_dataloader.sources.postgresql.value_guard import (
    raise_at_partition,
    raise_in_source,
    refused,
    sample,
)

#: A text that Delta takes for NULL in a column that a table is partitioned by, beside the empty one.
_NULL_PARTITION = literal("__HIVE_DEFAULT_PARTITION__")


def plan_columns(
    described: Sequence[DescribedColumn],
    value_policy: ValuePolicy,
    ordered: Collection[str] = (),
    keys: Collection[str] = (),
    partitioned_by: Collection[str] = (),
) -> ColumnPlan:
    """Return the plan of all columns; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    if not described:
        raise ConfigurationError(
            "The source has no columns.",
            field="source_table_name",
            fix="name a table that has columns, or deactivate the row",
        )
    refuse_collisions(column.name for column in described)
    columns, replaced = [], []
    folded = {name.casefold() for name in keys}
    partitions = {name.casefold() for name in partitioned_by}
    for column in described:
        x = quote(column.name)
        rule = keep(column, x)
        policy = column_policy(column, value_policy, ordered)
        text = as_text(in_one_spelling(column, x) if column.name.casefold() in folded else x)
        planned = _planned(column, rule, text, policy)
        if policy is ValuePolicy.NULL and rule.kept is not None:
            replaced.append(f"({x} IS NOT NULL AND NOT ({rule.kept}))::int4")
        if planned.name.casefold() in partitions and planned.type == "binary":
            raise _no_partition(column)
        if planned.name.casefold() in partitions and planned.type == "string":
            lost = f"coalesce({_is_lost(planned.select)}, false)"
            if policy is ValuePolicy.NULL:
                replaced.append(f"({lost})::int4")
            planned = _of_partitions(planned, rule, lost, policy)
        columns.append(planned)
    return ColumnPlan(columns=tuple(columns), replaced=" + ".join(replaced) or None)


def _no_partition(column: DescribedColumn) -> ConfigurationError:
    return ConfigurationError(
        f"The target is partitioned by column {column.name!r}, which is {column.declared} at the source: "
        "Delta keeps the values of a partition as texts, and not every value is one.",
        field="destination_table_name",
        fix=f"select encode({quote(column.name)}, 'hex') in query, or have the target partitioned by another "
        "column",
    )


def column_policy(
    column: DescribedColumn, value_policy: ValuePolicy, ordered: Collection[str]
) -> ValuePolicy:
    """Return the policy for one column: text has another order than numbers and dates."""
    names = {name.casefold() for name in ordered}
    if value_policy is ValuePolicy.STRING and column.name.casefold() in names:
        return ValuePolicy.FAIL
    return value_policy


def diagnose(
    ask: Ask, described: Sequence[DescribedColumn], relation: str, where: str | None
) -> ValueRefused | None:
    """Look for one value that cannot be kept, in one pass over the window."""
    risky = []
    for column in described:
        kept = keep(column, quote(column.name)).kept
        if kept is not None:
            risky.append((column.name, f"NOT ({kept})"))
    if not risky:
        return None
    which = " ".join(f"WHEN {broken} THEN {number}" for number, (_, broken) in enumerate(risky))
    value = " ".join(f"WHEN {broken} THEN {sample(quote(name))}" for name, broken in risky)
    found = f"({' OR '.join(broken for _, broken in risky)})"
    condition = f"({where}) AND {found}" if where else found
    rows = ask(f"SELECT CASE {which} END, CASE {value} END FROM {relation} WHERE {condition} LIMIT 1")
    if not rows:
        return None
    number, text = rows[0]
    return refused(risky[number][0], text)


def _planned(column: DescribedColumn, rule: TypeRule, text: TypeRule, policy: ValuePolicy) -> PlannedColumn:
    x = quote(column.name)
    select, wire, target = rule.value, rule.wire, rule.type
    if rule.kept is not None:
        if policy is ValuePolicy.STRING and target == text.type:
            # Values that the other policies keep are spelled as they spell them.
            select = _guarded(rule, text.value)
        elif policy is ValuePolicy.STRING:
            select, wire, target = text.value, Wire.NATIVE, text.type
        elif policy is ValuePolicy.NULL:
            select = _guarded(rule, "NULL")
        elif not rule.refused_by_driver:
            select = _guarded(rule, raise_in_source(column.name, x, rule.sql_type))
    return PlannedColumn(
        source_name=column.name,
        name=column_name(column.name),
        select=select,
        wire=wire,
        type=target,
        source_type=column.declared,
    )


def _is_lost(value: str) -> str:
    # Not a comparison with '', to which char(n) calls any number of blanks equal.
    return f"octet_length({value}) = 0 OR {value} = {_NULL_PARTITION}"


def _of_partitions(planned: PlannedColumn, rule: TypeRule, lost: str, policy: ValuePolicy) -> PlannedColumn:
    """Let no text into a column that a table is partitioned by which would be NULL there."""
    sql_type = rule.sql_type if rule.type == "string" else "text"
    raised = raise_at_partition(planned.source_name, planned.select, sql_type)
    otherwise = "NULL" if policy is ValuePolicy.NULL else raised
    return replace(planned, select=f"CASE WHEN {lost} THEN {otherwise} ELSE {planned.select} END")


def _guarded(rule: TypeRule, otherwise: str) -> str:
    """Return the value where it can be kept, else ``otherwise``, of the same SQL type in either case."""
    fast = f"WHEN {rule.fast[0]} THEN {rule.fast[1]} " if rule.fast else ""
    case = f"CASE {fast}WHEN {rule.kept} THEN {rule.value} ELSE {otherwise} END"
    return f"CAST({case} AS {rule.sql_type})"
