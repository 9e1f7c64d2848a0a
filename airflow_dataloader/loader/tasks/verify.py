"""The verify task: ``verify_table.py <config_id> …``. Parameters carry ids and nothing else."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.loader.control_url import find_control_url
from airflow_dataloader.loader.engines.spark.session import open_engine
from airflow_dataloader.loader.secrets import default_secrets
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified, lines
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Compare the rows named by ``arguments``; return 0 if all are equal, else 1. Errors are one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return 0 if run_task(arguments) else 1
    except DataloaderError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def run_task(arguments: Sequence[str]) -> bool:
    """Compare the rows; say of each what was found; return whether all are equal."""
    config_ids = [parse_id(argument) for argument in arguments]
    if not config_ids:
        raise ConfigurationError("No row is named.", field="parameters", fix="pass <config_id>")
    secrets = default_secrets()
    control = create_engine(find_control_url(os.environ, secrets))
    engine = open_engine(Settings.from_environment(os.environ))
    try:
        worker = Worker(control=control, engine=engine, secrets=secrets)
        verified = verify_rows(worker, config_ids, report=_say)
    finally:
        engine.close()
        control.dispose()
    return all(one.equal for one in verified)


def parse_id(text: str) -> int:
    """Return the id that ``text`` is; raise ConfigurationError if it is none."""
    if not text.isdecimal():
        raise ConfigurationError(f"{text!r} does not name a row.", field="parameters", fix="pass <config_id>")
    return int(text)


def _say(verified: Verified) -> None:
    for line in (f"{verified.label}: {verified.outcome}", *lines(verified)):
        print(line)
