"""The maintenance task: ``maintain_tables.py [<config_id> …]``; without an id, whatever was ever loaded."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.maintained import maintained_rows
from airflow_dataloader.control.stages import one_target_a_schema
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.loader.control_url import find_control_url
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.engines.spark.session import open_engine
from airflow_dataloader.loader.janitor import sweep
from airflow_dataloader.loader.maintenance import maintain_targets
from airflow_dataloader.loader.secrets import default_secrets
from airflow_dataloader.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Maintain the targets of the rows named by ``arguments``; return 0, or 1 after a line of what failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return 0 if run_task(arguments) else 1
    except DataloaderError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def run_task(arguments: Sequence[str]) -> bool:
    """Connect, maintain, and say what was done; return whether all of it could be."""
    rows = [parse_id(argument) for argument in arguments] or None
    control = create_engine(find_control_url(os.environ, default_secrets()))
    try:
        engine = open_engine(Settings.from_environment(os.environ))
        try:
            return maintain(control, engine, rows, report=print)
        finally:
            engine.close()
    finally:
        control.dispose()


def maintain(
    control: ControlEngine, engine: Engine, rows: Sequence[int] | None, *, report: Callable[[str], None]
) -> bool:
    """Remove what dead loads left in the schemas of these rows' targets, then do what their policies ask.

    ``rows`` None: all of them. Every deed is reported, and every target that could not be maintained; false
    if there was one. None of them stops the next.
    """
    removed = 0
    for beside in one_target_a_schema(control, rows=rows):
        for stage in sweep(control, engine, beside):
            report(f"Removed {stage}.")
            removed += 1
    if not removed:
        report("No stage was left behind.")
    return maintain_targets(control, engine, maintained_rows(control, rows), report=report)


def parse_id(text: str) -> int:
    """Return the id of a row; raise ConfigurationError if ``text`` is none."""
    if not text.isdecimal():
        raise ConfigurationError(f"{text!r} is no config_id.", field="parameters", fix="pass numbers")
    return int(text)
