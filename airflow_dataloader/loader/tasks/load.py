"""The load task: ``load_table.py <metadata_id>:<epoch> … [--installation=<id>]``.

Parameters carry ids and nothing else. The last one is that of the control database that the loads are of.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.submission import INSTALLATION_OPTION
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.run import LoadIds, process_tables
from airflow_dataloader.loader.tasks import process


def main(arguments: Sequence[str]) -> int:
    """Run the loads named by ``arguments``; return 0 if all succeeded, 130 if interrupted, else 1."""
    return process.run(_load, arguments)


def _load(arguments: Sequence[str]) -> bool:
    named = [text for text in arguments if text.startswith(INSTALLATION_OPTION)]
    loads = [parse_ids(argument) for argument in arguments if argument not in named]
    if not loads:
        raise ConfigurationError("No load is named.", field="parameters", fix="pass <metadata_id>:<epoch>")
    installation = named[-1].removeprefix(INSTALLATION_OPTION) if named else None
    with process.connections(installation) as connected:
        context = LoaderContext(
            control=connected.control,
            engine=connected.engine,
            secrets=connected.secrets,
            times=LeaseTimes.of(connected.settings),
            databricks_run=os.environ.get("DATALOADER_RUN_ID"),
            workspace_host=os.environ.get("DATALOADER_WORKSPACE_HOST"),
        )
        results = process_tables(context, loads)
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
