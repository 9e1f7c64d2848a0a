"""One row a key: the newest cursor wins, exact ties by all columns, so that every run chooses the same."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.core.names import free_name, quoted
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.sql import present, select
from airflow_dataloader.loader.engines.spark.types import Fit, identity


def rank_column(columns: Sequence[PlannedColumn]) -> str:
    """Return a name for the rank that no column has."""
    return free_name("_adl_rank", (column.name for column in columns))


def rank(columns: Sequence[PlannedColumn], dedup: Deduplication) -> str:
    """Return the rank of a row among those of its key; 1 is the row to keep."""
    keys = ", ".join(quoted(key) for key in dedup.keys)
    # A row without a cursor comes first: every load reads it, and its merge takes it whatever the target has.
    # Were another row of its key chosen now, the next load would replace that one.
    order = [] if dedup.cursor is None else [f"{quoted(dedup.cursor)} DESC NULLS FIRST"]
    order += [f"{identity(quoted(column.name), column.type)} DESC NULLS LAST" for column in columns]
    return f"ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {', '.join(order)})"


def chosen(columns: Sequence[PlannedColumn], dedup: Deduplication) -> str:
    """Return the condition on rows that carry their rank: the best of each key, no key NULL."""
    return f"{quoted(rank_column(columns))} = 1 AND {present(dedup.keys)}"


def all_rows(source: Location, stage: Stage, fitted: Fit) -> str:
    """Return the query of all of a stage's rows, in the types that the target has."""
    return select(", ".join(fitted.select(column) for column in stage.columns), source.sql)


def best_rows(source: Location, stage: Stage, dedup: Deduplication, fitted: Fit) -> str:
    """Return the query of a stage's best row of each key, in the types that the target has."""
    items = ", ".join(fitted.select(column) for column in stage.columns)
    ranked = select(f"*, {rank(stage.columns, dedup)} AS {rank_column(stage.columns)}", source.sql)
    return select(items, ranked, chosen(stage.columns, dedup))
