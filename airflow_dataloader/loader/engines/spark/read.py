"""Reads a source by JDBC: one query a partition, all columns in their wire form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from airflow_dataloader.core.names import free_name
from airflow_dataloader.core.plan import PlannedColumn, ReadPlan
from airflow_dataloader.loader.engines.spark.decode import decoded
from airflow_dataloader.sources.dialect import Dialect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, kw_only=True)
class JdbcRows:
    """A planned read. Even its schema is asked for only when a statement needs it."""

    plan: ReadPlan


def replaced_column(columns: Sequence[PlannedColumn]) -> str:
    """Return a name for the replaced-values count of a row, beside the columns, that none of them has."""
    return free_name("_adl_replaced", (column.name for column in columns))


def frame(spark: SparkSession, plan: ReadPlan, dialect: Dialect) -> DataFrame:
    """Return the planned columns, decoded and named, and :func:`replaced_column` if the plan counts it."""
    options = _options(plan, dialect)
    numbers: Sequence[int | None] = range(len(plan.partitions)) if plan.partitions else [None]
    parts = [_one(spark, options, dialect.jdbc_sql(plan.select_sql(number))) for number in numbers]
    items = [decoded(number, column) for number, column in enumerate(plan.columns)]
    if plan.replaced is not None:
        items.append(f"CAST(replaced AS BIGINT) AS {replaced_column(plan.columns)}")
    return reduce(lambda left, right: left.union(right), parts).selectExpr(*items)


def _one(spark: SparkSession, options: dict[str, str], select: str) -> DataFrame:
    # A derived table, since the option `query` is refused together with several others.
    return spark.read.format("jdbc").options(**options, dbtable=f"({select}) q").load()


def _options(plan: ReadPlan, dialect: Dialect) -> dict[str, str]:
    jdbc = dialect.jdbc(plan.endpoint)
    options = {
        **jdbc.properties,
        "url": jdbc.url,
        "driver": jdbc.driver,
        # Always given: at 0 Spark leaves autocommit on, and the snapshot set below is silently void.
        "fetchsize": str(max(1, plan.fetch_size)),
    }
    if plan.session_init:
        options["sessionInitStatement"] = plan.session_init
    return options
