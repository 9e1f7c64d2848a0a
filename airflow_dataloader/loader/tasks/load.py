"""The load task: ``load_table.py <metadata_id>:<epoch> …``. Parameters carry ids and nothing else."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.loader.control_url import find_control_url
from airflow_dataloader.loader.engines.spark.session import open_engine
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.run import LoadIds, process_tables
from airflow_dataloader.loader.secrets import default_secrets
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Run the loads named by ``arguments``; return 0 if all succeeded, else 1. Errors are one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return 0 if run_task(arguments) else 1
    except DataloaderError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def run_task(arguments: Sequence[str]) -> bool:
    """Run the loads; say of each how it ended; return whether all succeeded."""
    loads = [parse_ids(argument) for argument in arguments]
    if not loads:
        raise ConfigurationError("No load is named.", field="parameters", fix="pass <metadata_id>:<epoch>")
    secrets = default_secrets()
    control = create_engine(find_control_url(os.environ, secrets))
    settings = Settings.from_environment(os.environ)
    engine = open_engine(settings)
    worker = Worker(
        control=control,
        engine=engine,
        secrets=secrets,
        times=LeaseTimes.of(settings),
        databricks_run=os.environ.get("DATALOADER_RUN_ID"),
        workspace_host=os.environ.get("DATALOADER_WORKSPACE_HOST"),
    )
    try:
        results = process_tables(worker, loads)
    finally:
        engine.close()
        control.dispose()
    for result in results:
        print(f"load {result.metadata_id}: {result.status or 'not settled here'}. {result.message}".rstrip())
    return all(result.status is LoadStatus.SUCCEEDED for result in results)


def parse_ids(text: str) -> LoadIds:
    """Return the ids that ``<metadata_id>:<epoch>`` names; raise ConfigurationError if it names none."""
    metadata_id, colon, epoch = text.partition(":")
    if not (colon and metadata_id.isdecimal() and epoch.isdecimal()):
        raise ConfigurationError(
            f"{text!r} does not name a load.", field="parameters", fix="pass <metadata_id>:<epoch>"
        )
    return LoadIds(metadata_id=int(metadata_id), epoch=int(epoch))
