"""A small table's rows as Python values, the same in every mode and time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_dataloader.core.names import quoted
from airflow_dataloader.loader.engines.spark.names import Location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructField

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows(spark: SparkSession, location: Location, columns: Sequence[str] | None) -> list[tuple[Any, ...]]:
    """Return the rows. Timestamps are aware and in UTC, ``timestamp_ntz`` naive, binary is bytes.

    Dates and times beyond Python's years 1 to 9999 come as the integer that Spark holds: days or
    microseconds since 1970-01-01.
    """
    table = spark.table(location.sql)
    fields = {field.name: field for field in table.schema.fields}
    wanted = [fields[name] for name in (columns if columns is not None else fields)]
    frame = table.selectExpr(*(_sent(field) for field in wanted))
    return [
        tuple(_value(field, value) for field, value in zip(wanted, row, strict=True))
        for row in frame.collect()
    ]


def _sent(field: StructField) -> str:
    name = quoted(field.name)
    match field.dataType.simpleString():
        case "date":
            return f"UNIX_DATE({name})"
        case "timestamp":
            return f"UNIX_MICROS({name})"
        case "timestamp_ntz":
            return f"UNIX_MICROS(CAST({name} AS TIMESTAMP))"
    return name


def _value(field: StructField, value: Any) -> Any:
    if value is None:
        return None
    kind = field.dataType.simpleString()
    try:
        if kind == "date":
            return date(1970, 1, 1) + timedelta(days=value)
        if kind in {"timestamp", "timestamp_ntz"}:
            moment = _EPOCH + timedelta(microseconds=value)
            return moment if kind == "timestamp" else moment.replace(tzinfo=None)
    except OverflowError:
        return value
    return bytes(value) if kind == "binary" else value
