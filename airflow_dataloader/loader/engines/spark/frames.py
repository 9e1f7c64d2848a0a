"""The data of a write as a frame, whether it comes from a source or from a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.loader.engines.protocol import Deduplication, Rows, Stage
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.dedup import chosen, rank, rank_column
from airflow_dataloader.loader.engines.spark.read import JdbcRows, frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def columns_of(data: Rows | Stage) -> tuple[PlannedColumn, ...]:
    """Return the planned columns of the data."""
    return data.columns if isinstance(data, Stage) else data.plan.columns


def counts_replaced(data: Rows | Stage) -> bool:
    """Return whether the frame carries the number of replaced values beside its columns."""
    return not isinstance(data, Stage) and data.plan.replaced is not None


def frame_of(context: Context, data: Rows | Stage) -> DataFrame:
    """Return the data's planned columns under their names; nothing is read yet."""
    if isinstance(data, Stage):
        return context.spark.table(context.names.locate(data.name).sql)
    if not isinstance(data, JdbcRows):
        raise TypeError(f"{type(data).__name__} was made by another engine")
    return frame(context.spark, data.plan, context.dialect(data.plan.endpoint.db_type))


def deduplicated(
    rows: DataFrame, columns: tuple[PlannedColumn, ...], dedup: Deduplication | None
) -> DataFrame:
    """Return one row a key, or all rows where no deduplication is asked for."""
    if dedup is None:
        return rows
    ranked = rows.selectExpr("*", f"{rank(columns, dedup)} AS {rank_column(columns)}")
    return ranked.where(chosen(columns, dedup))
