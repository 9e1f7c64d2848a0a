"""The maintenance task: ``maintain_tables.py [<config_id> …]``; without an id, whatever was ever loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.maintained import maintained_rows
from airflow_dataloader.control.stages import one_target_a_schema
from airflow_dataloader.exceptions import ControlUnavailable, DataloaderError
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.maintenance import maintain_targets
from airflow_dataloader.loader.stage_sweep import sweep_stages
from airflow_dataloader.loader.tasks import process


def main(arguments: Sequence[str]) -> int:
    """Maintain the targets of the rows named by ``arguments``; return 0, 130 if interrupted, else 1."""
    return process.run(_maintain, arguments)


def _maintain(arguments: Sequence[str]) -> bool:
    rows = [process.row_id(argument) for argument in arguments] or None
    with process.connections() as connected:
        return maintain(connected.control, connected.engine, rows, report=print)


def maintain(
    control: ControlEngine, engine: Engine, rows: Sequence[int] | None, *, report: Callable[[str], None]
) -> bool:
    """Remove what dead loads left in the schemas of these rows' targets, then do what their policies ask.

    ``rows`` None: all of them. Every deed is reported, and every schema that could not be looked into and
    every target that could not be maintained; false if there was one. None of them stops the next. Raises
    ControlUnavailable.
    """
    swept = _sweep(control, engine, rows, report=report)
    return maintain_targets(control, engine, maintained_rows(control, rows), report=report) and swept


def _sweep(
    control: ControlEngine, engine: Engine, rows: Sequence[int] | None, *, report: Callable[[str], None]
) -> bool:
    """Remove the stages that dead loads left; return whether every schema could be looked into."""
    removed, swept = 0, True
    for beside in one_target_a_schema(control, rows=rows):
        try:
            for stage in sweep_stages(control, engine, beside):
                report(f"Removed {stage}.")
                removed += 1
        except ControlUnavailable:
            raise
        except DataloaderError as error:
            report(f"Stages beside {beside} could not be looked for: {error}")
            swept = False
    if swept and not removed:
        report("No stage was left behind.")
    return swept
