"""Removes the stages that dead loads and abandoned backfills have left, and no other table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.stages import are_over, one_target_a_schema
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.stage_names import stage_owner

log = logging.getLogger(__name__)


def sweep_after(control: ControlEngine, engine: Engine, loads: Sequence[int]) -> None:
    """Sweep the schemas that these loads wrote to; what cannot be done is said in the log, and no more."""
    if not loads:
        return
    try:
        besides = one_target_a_schema(control, loads=loads)
    except DataloaderError as error:
        log.warning("Old stages could not be looked for: %s", error)
        return
    for beside in besides:
        try:
            sweep_stages(control, engine, beside)
        except DataloaderError as error:
            log.warning("Old stages beside %s could not be looked for: %s", beside, error)


def sweep_stages(control: ControlEngine, engine: Engine, beside: TargetName) -> list[TargetName]:
    """Remove the stages beside a target that nobody needs any more; return them.

    Raises what keeps it from looking; a stage that cannot be removed is left to the next sweep.
    """
    # Seen first and asked afterwards: a stage whose load begins in between is not among them.
    found = [(name, owner) for name in engine.stages(beside) if (owner := stage_owner(name.table))]
    if not found:
        return []
    over = are_over(control, [owner for _, owner in found])
    return list(_removed(engine, [name for (name, _), gone in zip(found, over, strict=True) if gone]))


def _removed(engine: Engine, names: Iterable[TargetName]) -> Iterable[TargetName]:
    for name in names:
        try:
            engine.drop_stage(name)
        except DataloaderError as error:
            log.warning("Stage %s could not be removed: %s", name, error)
        else:
            log.info("Removed stage %s, whose load is over.", name)
            yield name
