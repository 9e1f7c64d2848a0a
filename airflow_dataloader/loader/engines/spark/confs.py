"""Spark's settings: for a JVM of ours, for every session, and for a single statement."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark import errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

#: For every session, wherever it runs. Values keep their meaning whatever the cluster's defaults are.
SESSION: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    # By milliseconds, timestamps would lose what tells rows of one key apart.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # What TIMESTAMP means in a statement of ours.
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # By default ${env:NAME} in any statement stands for a variable of Spark's process, secrets included. The
    # name of a table may hold such a text.
    "spark.sql.variable.substitute": "false",
}

#: Conditions by which a compute says that a setting is not for its sessions to change.
_FORBIDDEN = ("CONFIG_NOT_AVAILABLE", "CANNOT_MODIFY")

#: For a JVM of ours on one machine.
_LOCAL: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "2",
    # Without it, VACUUM and RESTORE start thousands of tasks for a handful of files.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    # Of every table that it has looked at Delta keeps some 3 MB for an hour, and every load makes a table or
    # two. By default it keeps 10,000 of them, and a heap of 2 GB is full after 500.
    "spark.databricks.delta.delta.log.cacheSize": "32",
    # Spark compiles a few dozen classes a load and keeps 100 of them by default: every load after some others
    # would compile its own again. They are the same for all tables of the same columns' types.
    "spark.sql.codegen.cache.maxEntries": "1000",
    # Spark keeps a record of every execution for its web page, which is not served.
    "spark.sql.ui.retainedExecutions": "50",
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Everything that matters is raised; at ERROR each failed query prints pages of Java.
    "spark.log.level": "FATAL",
}

#: A JVM that runs out of memory would live on and answer nobody; one that has ended is noticed and replaced.
_JAVA_OPTIONS = "-Duser.timezone=UTC --add-opens=java.base/java.nio=ALL-UNNAMED -XX:+ExitOnOutOfMemoryError"


def local_confs(jars: Sequence[Path], *, cores: int, memory: str) -> dict[str, str]:
    """Return the settings of a JVM of ours; ``memory`` is its heap as Java spells it (``2g``).

    ``jars`` lie in ``DATALOADER_HOME/jars``.
    """
    path = os.pathsep.join(str(jar) for jar in jars)
    return {
        **_LOCAL,
        **SESSION,
        "spark.master": f"local[{cores}]",
        "spark.sql.shuffle.partitions": str(cores),
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": _JAVA_OPTIONS,
        # Spark makes this folder when it starts, by default where we happen to stand.
        "spark.sql.warehouse.dir": str(jars[0].parent.parent / "warehouse"),
        # The driver's class path, not spark.jars: one JVM runs everything, and no jar has to be copied.
        "spark.driver.extraClassPath": path,
    }


@contextmanager
def session_confs(spark: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """Set ``confs`` for the enclosed statement only.

    They are always reset: a transaction id that stayed would make Delta skip the session's next write.
    """
    done = []
    try:
        for name, value in confs.items():
            insist(spark, name, value)
            done.append(name)
        yield
    finally:
        for name in done:
            spark.conf.unset(name)


def insist(spark: SparkSession, name: str, value: str) -> None:
    """Set a session's setting; raise ConfigurationError where it is forbidden and something else holds."""
    try:
        spark.conf.set(name, value)
    except Exception as error:
        if not errors.report(error).has(*_FORBIDDEN):
            raise
        if _held(spark, name) != value:
            raise ConfigurationError(
                f"This compute does not let a session set {name}, which loads need to be {value!r}.",
                field="[dataloader] cluster",
                fix="run loads on a cluster, by existing_cluster_id or new_cluster: serverless forbids it",
            ) from error


def _held(spark: SparkSession, name: str) -> str | None:
    try:
        return spark.conf.get(name)
    except Exception as error:
        if errors.report(error).conditions:
            return None
        raise
