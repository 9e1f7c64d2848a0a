"""Compacts and vacuums targets by their rows' policies; never one that is being loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.maintained import MaintainedRow, live_load, maintained_rows
from airflow_dataloader.control.stages import one_target_a_schema
from airflow_dataloader.core.maintenance import LEAST_RETENTION, Upkeep, optimize_is_due, vacuum_is_due
from airflow_dataloader.core.wording import counted
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, DataloaderError
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.stage_sweep import sweep_stages


def maintain_rows(
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


def maintain_targets(
    control: ControlEngine,
    engine: Engine,
    rows: Iterable[MaintainedRow],
    *,
    report: Callable[[str], None],
) -> bool:
    """Do what is due, target by target, and report it; return whether every target could be maintained.

    Raises ControlUnavailable: without the control database nobody knows what is being loaded.
    """
    done = True
    for row in rows:
        try:
            for deed in _maintain(control, engine, row):
                report(f"{row.label}: {deed}")
        except ControlUnavailable:
            raise
        except DataloaderError as error:
            report(f"{row.label}: {error}")
            done = False
    return done


def _maintain(control: ControlEngine, engine: Engine, row: MaintainedRow) -> Iterator[str]:
    now = datetime.now(UTC)
    upkeep = engine.upkeep(row.target, now - row.policy.longest)
    if upkeep is None:
        return
    due = [
        (optimize_is_due(row.policy, upkeep, now), _optimize),
        (vacuum_is_due(row.policy, upkeep, now), _vacuum),
    ]
    for deed in [deed for is_due, deed in due if is_due]:
        # A load that is claimed after this look writes again where the two have met.
        load = live_load(control, row)
        if load is not None:
            yield f"left to the next run, because load {load} holds the target."
            return
        yield deed(engine, row, upkeep)


def _optimize(engine: Engine, row: MaintainedRow, _: Upkeep) -> str:
    done = engine.optimize(row.target)
    if done is None:
        return "left to the next run, because somebody else changed the target meanwhile."
    if not done.files_removed:
        return "nothing to compact."
    return (
        f"compacted {_files(done.files_removed, done.bytes_removed)} "
        f"into {_files(done.files_added, done.bytes_added)}."
    )


def _vacuum(engine: Engine, row: MaintainedRow, upkeep: Upkeep) -> str:
    if upkeep.retention < LEAST_RETENTION:
        raise ConfigurationError(
            f"Not vacuumed: the target keeps files of older versions for {_span(upkeep.retention)}, and "
            f"who reads one is to have {_span(LEAST_RETENTION)}.",
            field="vacuum_every_hours",
            fix="set delta.deletedFileRetentionDuration of the target to 'interval 7 days' or more, or "
            "vacuum_every_hours to NULL",
        )
    done = engine.vacuum(row.target)
    kept = f"no version of the last {_span(upkeep.retention)} needs"
    if not done.files_deleted:
        return f"no file that {kept}."
    return f"deleted {_files(done.files_deleted, done.bytes_deleted)} that {kept}."


def _files(number: int, size: int) -> str:
    return f"{counted(number, 'file')} ({size:,} bytes)"


def _span(span: timedelta) -> str:
    hours = int(span / timedelta(hours=1))
    days, rest = divmod(hours, 24)
    return counted(hours, "hour") if rest or not days else counted(days, "day")
