"""Keeps what was read in a table of the load's own, counted in the same pass."""

from __future__ import annotations

from dataclasses import replace

from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.loader.engines.protocol import STAGE_PREFIX, Deduplication, Rows, Stage
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.frames import frame_of
from airflow_dataloader.loader.engines.spark.observe import observed
from airflow_dataloader.loader.engines.spark.read import replaced_column
from airflow_dataloader.loader.engines.spark.tables import create_named, drop, names_beside, planned_types


def list_stages(context: Context, beside: TargetName) -> list[TargetName]:
    """Return the stages in the schema of ``beside``, also those that somebody began to remove."""
    names = names_beside(context.spark, context.names.locate(beside), beside, STAGE_PREFIX)
    return [replace(beside, table=name) for name in names]


def write_stage(context: Context, rows: Rows, name: TargetName, dedup: Deduplication | None) -> Stage:
    """Write ``rows`` over whatever the stage holds, and return what was counted on the way."""
    plan, location = rows.plan, context.names.locate(name)
    frame, counts = observed(frame_of(context, rows), _counts(plan, dedup))
    plain = frame.selectExpr(*(quoted(column.name) for column in plan.columns))
    writer = plain.write.format("delta")
    with context.interrupts.statement():
        if location.folder is None:
            # A statement that makes or replaces a catalogue's table loses the counts of what it wrote.
            drop(context.spark, location)
            create_named(context.spark, location, planned_types(plan.columns), {})
            location.save(writer.mode("append"))
        else:
            location.save(writer.mode("overwrite").option("overwriteSchema", "true"))
    return Stage(name=name, columns=plan.columns, **{key: int(value) for key, value in counts.get.items()})


def _counts(plan: ReadPlan, dedup: Deduplication | None) -> dict[str, str]:
    counts = {"rows": "COUNT(1)"}
    if dedup is not None and dedup.keys:
        counts["null_keys"] = f"COUNT_IF({' OR '.join(f'{quoted(key)} IS NULL' for key in dedup.keys)})"
    if dedup is not None and dedup.cursor is not None:
        counts["null_cursors"] = f"COUNT_IF({quoted(dedup.cursor)} IS NULL)"
    if plan.replaced is not None:
        counts["values_replaced"] = f"COALESCE(SUM({replaced_column(plan.columns)}), 0)"
    return counts
