"""A table as a whole: whether it exists, what it holds, its creation and its end."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError, EngineFailed
from airflow_dataloader.loader.engines.spark import errors
from airflow_dataloader.loader.engines.spark.names import Location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructField, StructType

#: Between the name of a folder that was taken away and a random text; no table's name can hold a full stop.
_DROPPED = ".dropped-"

#: Where Spark notes the type that a text column was declared with.
_DECLARED = "__CHAR_VARCHAR_TYPE_STRING"


def schema(spark: SparkSession, location: Location) -> StructType | None:
    """Return the table's schema, or None on the catalogue's positive answer that there is no such table.

    Any other failure is raised: a table that cannot be seen for a moment must not be taken for absent, or
    the next load would replace it.
    """
    try:
        return spark.table(location.sql).schema
    except DataloaderError:
        raise
    except Exception as error:
        if errors.is_absent(errors.report(error)):
            return None
        raise errors.translate(error, f"looking at {location.sql}") from error


def refuse_not_delta(spark: SparkSession, location: Location, target: TargetName) -> None:
    """Raise ConfigurationError where a table is there that has no history: it is none of Delta's.

    Taken for absent, it would be replaced by the first load. It may also have vanished since it was seen.
    """
    if schema(spark, location) is not None:
        raise ConfigurationError(
            f"Target {target} exists, and is not a Delta table.",
            field="destination_table_name",
            fix="name another table; or drop this one, or CONVERT it TO DELTA if it is no view",
        )


def types(found: StructType) -> dict[str, str]:
    """Return the columns in order, name to type, types in lower case.

    Spark calls ``char(n)`` a string; values get blanks there that they do not have.
    """
    return {
        field.name: declared if (declared := _declared(field)).startswith("char(") else _plain(field)
        for field in found.fields
    }


def _declared(field: StructField) -> str:
    return str(field.metadata.get(_DECLARED, "")).lower()


def _plain(field: StructField) -> str:
    return field.dataType.simpleString().lower()


def existing_types(spark: SparkSession, location: Location, target: TargetName, doing: str) -> dict[str, str]:
    """Return the target's columns, name to type; raise EngineFailed if it vanished before ``doing``."""
    found = schema(spark, location)
    if found is None:
        raise EngineFailed(f"Target {target} vanished before {doing}.")
    return types(found)


def planned_types(columns: Sequence[PlannedColumn]) -> dict[str, str]:
    """Return planned columns in order, name to type."""
    return {column.name: column.type for column in columns}


def create_named(
    spark: SparkSession,
    location: Location,
    columns: Mapping[str, str],
    properties: Mapping[str, str],
    cluster_by: Sequence[str] = (),
) -> None:
    """Create the table empty if it is one of a catalogue; a folder becomes a table by its first append.

    A catalogue's first append would create the table too, in a commit that drops our user metadata. A folder
    that is to be clustered is created as well: a write that names clusters forgets them without a word.
    """
    if location.folder is not None and not cluster_by:
        return
    items = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
    pairs = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
    suffix = f" TBLPROPERTIES ({pairs})" if pairs else ""
    clusters = f" CLUSTER BY ({', '.join(map(quoted, cluster_by))})" if cluster_by else ""
    spark.sql(f"CREATE TABLE IF NOT EXISTS {location.sql} ({items}) USING delta{clusters}{suffix}")


def drop(spark: SparkSession, location: Location) -> None:
    """Remove the table and its files; one that does not exist is fine."""
    if location.folder is None:
        spark.sql(f"DROP TABLE IF EXISTS {location.sql}")
    else:
        # DROP TABLE of a path leaves the folder behind.
        _remove(location.folder)


def _remove(folder: Path) -> None:
    """Take the folder away in one step, then delete it.

    A reader that found half of a table's log would take an older version for the whole table.
    """
    with suppress(FileNotFoundError):
        folder.rename(folder.with_name(f"{folder.name}{_DROPPED}{uuid4().hex}"))
    for leftover in folder.parent.glob(f"{folder.name}{_DROPPED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def names_beside(spark: SparkSession, location: Location, beside: TargetName, prefix: str) -> list[str]:
    """Return the tables of a schema whose names begin with ``prefix``, also those half removed."""
    if location.folder is not None:
        found = location.folder.parent.glob(f"{prefix}*")
        return sorted({path.name.partition(_DROPPED)[0] for path in found})
    schema_name = f"{quoted(beside.catalog)}.{quoted(beside.schema)}"
    try:
        rows = spark.sql(f"SHOW TABLES IN {schema_name} LIKE '{prefix}*'").collect()
    except Exception as error:
        if errors.is_absent(errors.report(error)):
            return []
        raise
    return sorted(row.tableName for row in rows if not row.isTemporary)


def count(spark: SparkSession, location: Location, predicate: str | None) -> int:
    """Return how many rows the table holds, or how many that satisfy ``predicate``."""
    table = spark.table(location.sql)
    return int((table if predicate is None else table.where(predicate)).count())


def is_filled(spark: SparkSession, location: Location) -> bool:
    """Return whether the table holds a row."""
    return bool(spark.table(location.sql).selectExpr("1").limit(1).collect())
