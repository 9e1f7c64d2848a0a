"""Opens an engine: a Databricks runtime's session, a Spark Connect server's, or Spark in this process."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from airflow_dataloader.exceptions import DataloaderError, EngineFailed
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.databricks_runtime import on_databricks
from airflow_dataloader.loader.engines.spark import errors, jars
from airflow_dataloader.loader.engines.spark.confs import SESSION, insist, local_confs
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.cores import usable_cores
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.engines.spark.interrupts import Interrupts
from airflow_dataloader.loader.engines.spark.java import java_home
from airflow_dataloader.loader.engines.spark.names import (
    CatalogNames,
    Names,
    WarehouseNames,
    make_warehouse,
)
from airflow_dataloader.loader.engines.spark.pyspark_home import pyspark_folder
from airflow_dataloader.loader.engines.spark.remote import (
    SPARK_REMOTE,
    check_remote,
    remote_of,
    unusable,
)
from airflow_dataloader.settings import Settings
from airflow_dataloader.sources.registry import dialect_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Where Spark is and where its tables are."""

    #: ``DATALOADER_HOME``: jars and the local warehouse.
    home: Path
    #: ``sc://host:port/;…`` of a Spark Connect server, or None for Spark in this process.
    remote: str | None = field(default=None, repr=False)
    #: Whether this process runs on Databricks, where the session exists and the catalogue is Unity's.
    databricks: bool = False
    cores: int = field(default_factory=usable_cores)
    #: Heap of a JVM of ours, as Java spells it.
    memory: str = "2g"
    deletion_vectors: bool = True

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        """Return what the process's settings and environment say.

        ``SPARK_REMOTE`` names a Spark Connect server, ``SPARK_DRIVER_MEMORY`` the heap of a Spark in this
        process; on Databricks the runtime's own session is taken. Raises ConfigurationError if the first
        cannot be read.
        """
        check_remote(environ)
        return cls(
            home=settings.home,
            remote=remote_of(environ),
            databricks=on_databricks(environ),
            memory=environ.get("SPARK_DRIVER_MEMORY") or cls.memory,
        )


def open_engine(settings: EngineSettings) -> SparkEngine:
    """Return an engine with a session of its own; the caller closes it."""
    _silence()
    spark, end = _open(settings)
    _hide_requests()
    _set_up(spark, end)
    names: Names = CatalogNames() if settings.databricks else WarehouseNames(settings.home / "warehouse")
    context = Context(
        spark=spark,
        interrupts=Interrupts(lambda: bool(spark.interruptAll())),
        names=names,
        dialect=dialect_of,
        deletion_vectors=settings.deletion_vectors,
    )
    return SparkEngine(context, end)


def _open(settings: EngineSettings) -> tuple[SparkSession, Callable[[], None]]:
    if settings.databricks:
        return _databricks()
    pyspark_folder()
    if settings.remote is not None:
        return _connect(settings.remote)
    try:
        return _classic(settings)
    except (DataloaderError, OSError):
        raise
    except Exception as error:
        said = errors.translate(error, "starting in this process").message
        log = settings.home / "spark.log"
        fix = f"see what Java said (commands keep it in {log}); SPARK_DRIVER_MEMORY, such as 2g, is its heap"
        raise EngineFailed(said, fix=fix) from error


def _set_up(spark: SparkSession, end: Callable[[], None]) -> None:
    """Give a session our settings; one that does not take them is ended by ``end``."""
    try:
        for name, value in SESSION.items():
            insist(spark, name, value)
    except BaseException:
        end()
        raise


def _silence() -> None:
    # Python's Spark logs a JSON line with the whole Java stack for every SQL error, beside raising it.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).disabled = True
    # Beside the error itself.
    warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")
    # At DEBUG it logs every call to Java with its arguments, and so the source's password.
    logging.getLogger("py4j").setLevel(logging.INFO)


_CONNECT_LOG = "pyspark.sql.connect.logging"


def _hide_requests() -> None:
    """Keep what Spark's client asks out of its log, where SPARK_CONNECT_LOG_LEVEL says debug.

    Each request is there whole, with the source's password. The client must have made its logger by itself.
    """
    if _CONNECT_LOG in sys.modules:
        logging.getLogger(_CONNECT_LOG).addFilter(_is_no_request)


def _is_no_request(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _databricks() -> tuple[SparkSession, Callable[[], None]]:
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
    return spark, lambda: None


def _connect(remote: str) -> tuple[SparkSession, Callable[[], None]]:
    from airflow_dataloader.loader.engines.spark.connect import connect

    try:
        spark = connect(remote)
    except Exception as error:
        raise unusable(remote, error) from error
    try:
        # The first word to the server.
        _ = spark.version
    except Exception as error:
        # Not stop(): it would wait as long again for a server that does not answer.
        spark.client.close()
        raise unusable(remote, error) from error
    return cast("SparkSession", spark), spark.stop


_classic_lock = threading.Lock()
_classic_open = 0


def _classic(settings: EngineSettings) -> tuple[SparkSession, Callable[[], None]]:
    from pyspark.sql import SparkSession

    global _classic_open  # noqa: PLW0603  the JVM is one a process, whoever asks
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["JAVA_HOME"] = str(java_home())
    if os.environ.get(SPARK_REMOTE) == "":
        # It names no server; Spark's builder takes it for one beside the master, and refuses both.
        del os.environ[SPARK_REMOTE]
    make_warehouse(settings.home)
    with _classic_lock:
        builder = SparkSession.builder.appName("airflow_dataloader")
        for name, value in local_confs(
            _jars(settings.home), cores=settings.cores, memory=settings.memory
        ).items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        _classic_open += 1
    interrupt.listen_again()
    return spark.newSession(), lambda: _end_classic(spark)


def _jars(home: Path) -> list[Path]:
    # What was fetched for other sources comes along; a JVM's class path cannot grow later.
    jars.ensure(jars.DEFAULT, home)
    return jars.present(home)


def _end_classic(spark: SparkSession) -> None:
    global _classic_open  # noqa: PLW0603
    with _classic_lock:
        _classic_open -= 1
        if _classic_open == 0:
            spark.stop()
