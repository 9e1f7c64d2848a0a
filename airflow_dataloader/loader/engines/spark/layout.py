"""How a table's files are laid out: by clusters, by partitions, or as they come."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.loader.engines.spark import errors
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.names import Location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_CLUSTERING = "delta.feature.clustering"

#: Heads the section of a table's description that names its partitions.
_PARTITIONS = "# Partition Information"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How people want a table's files to be laid out."""

    clustered_by: tuple[str, ...]
    partitioned_by: tuple[str, ...]


def layout(spark: SparkSession, location: Location) -> Layout:
    """Return the layout of an existing table."""
    (detail,) = (
        spark.sql(f"DESCRIBE DETAIL {location.sql}").select("clusteringColumns", "partitionColumns").collect()
    )
    return Layout(
        clustered_by=tuple(map(_unquoted, detail.clusteringColumns or ())),
        partitioned_by=tuple(detail.partitionColumns or ()),
    )


def partitions(spark: SparkSession, location: Location) -> tuple[str, ...]:
    """Return the columns that an existing table is partitioned by.

    By its description, which needs its schema only; see :func:`is_clustered`.
    """
    described = [row.col_name for row in spark.sql(f"DESCRIBE TABLE {location.sql}").collect()]
    if _PARTITIONS not in described:
        return ()
    # Behind the heading and the names of the description's own columns, up to the next section.
    names = described[described.index(_PARTITIONS) + 2 :]
    return tuple(map(_unquoted, takewhile(lambda name: name and not name.startswith("#"), names)))


def _unquoted(name: str) -> str:
    """Return a column's name, which a table's detail quotes where it holds a dot."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def is_clustered(spark: SparkSession, location: Location) -> bool:
    """Return whether an existing table is clustered.

    A table's detail needs its whole state, which takes longer than a small table's write; the feature that
    only clustered tables have is a property.
    """
    properties = spark.sql(f"SHOW TBLPROPERTIES {location.sql}").collect()
    if not any(row.key == _CLUSTERING for row in properties):
        return False
    return bool(layout(spark, location).clustered_by)


def ensure_clustered(context: Context, target: TargetName, cluster_by: Sequence[str]) -> None:
    """Have the table clustered by these columns from now on, unless people have chosen otherwise.

    A write that changes a table's columns takes its clustering away. It has landed by now, so what cannot be
    done is said in the log.
    """
    if not cluster_by:
        return
    location = context.names.locate(target)
    try:
        found = layout(context.spark, location)
        if not found.clustered_by and not found.partitioned_by:
            columns = ", ".join(map(quoted, cluster_by))
            context.spark.sql(f"ALTER TABLE {location.sql} CLUSTER BY ({columns})")
    except Exception as error:  # noqa: BLE001  whatever it is, the load's rows are there
        log.warning("%s", errors.translate(error, f"clustering {target}"))
