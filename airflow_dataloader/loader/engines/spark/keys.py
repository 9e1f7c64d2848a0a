"""The keys of a table's rows: which stand there twice, how many there are, and which rows have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.loader.engines.protocol import Stage
from airflow_dataloader.loader.engines.spark import tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.sql import present, select


def duplicate_keys(
    context: Context, side: Stage | TargetName, keys: Sequence[str], limit: int
) -> list[tuple[str, ...]]:
    """Return the first ``limit`` keys that several rows of a stage or a target have, as texts.

    A target without one of the columns, or no target at all, has none.
    """
    location = context.names.locate(side.name if isinstance(side, Stage) else side)
    held = {name.casefold(): kind for name, kind in _types(context, side, location).items()}
    if not all(key.casefold() in held for key in keys):
        return []
    text = duplicates_sql(location, {key: held[key.casefold()] for key in keys}, limit)
    return [tuple(row) for row in context.ask(text)]


def duplicates_sql(location: Location, keys: Mapping[str, str], limit: int) -> str:
    """Return the query of those keys; ``keys`` is name to type."""
    names = ", ".join(quoted(key) for key in keys)
    grouped = f" GROUP BY {names} HAVING COUNT(1) > 1 ORDER BY {names} LIMIT {limit}"
    return select(_texts(keys), location.sql, present(keys)) + grouped


def null_keys(
    context: Context, stage: Stage, keys: Sequence[str], names: Sequence[str], limit: int
) -> list[tuple[str | None, ...]]:
    """Return the columns ``names`` of a stage's first ``limit`` rows with NULL in a key, as texts."""
    held = tables.planned_types(stage.columns)
    text = null_keys_sql(context.names.locate(stage.name), keys, {name: held[name] for name in names}, limit)
    return [tuple(row) for row in context.ask(text)]


def null_keys_sql(location: Location, keys: Sequence[str], names: Mapping[str, str], limit: int) -> str:
    """Return the query of those rows; ``names`` is name to type."""
    order = ", ".join(quoted(name) for name in names)
    rows = select(_texts(names), location.sql, f"NOT ({present(keys)})")
    return f"{rows} ORDER BY {order} LIMIT {limit}"


def _texts(names: Mapping[str, str]) -> str:
    return ", ".join(
        f"HEX({quoted(name)}) AS k{number}"
        if kind == "binary"
        else f"CAST({quoted(name)} AS STRING) AS k{number}"
        for number, (name, kind) in enumerate(names.items())
    )


def count_keys(context: Context, stage: Stage, keys: Sequence[str]) -> int:
    """Return how many keys the rows of a stage have."""
    names = [quoted(key) for key in keys]
    location = context.names.locate(stage.name)
    distinct = select(f"DISTINCT {', '.join(names)}", location.sql, present(keys))
    ((found,),) = context.ask(select("COUNT(1) AS n", f"({distinct})"))
    return int(found)


def _types(context: Context, side: Stage | TargetName, location: Location) -> dict[str, str]:
    if isinstance(side, Stage):
        return tables.planned_types(side.columns)
    found = tables.schema(context.spark, location)
    return {} if found is None else tables.types(found)
