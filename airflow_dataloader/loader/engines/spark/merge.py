"""The guarded MERGE: inserts new keys, updates what differs, and never turns a row back in time."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.load_columns import DELETED_AT
from airflow_dataloader.core.names import TargetName, is_name_of_deletion_vectors, quoted
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.engines.spark import history, tables
from airflow_dataloader.loader.engines.spark.confs import session_confs
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.dedup import best_rows
from airflow_dataloader.loader.engines.spark.deleted_mark import has_mark
from airflow_dataloader.loader.engines.spark.evolve import make_ready
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.sql import same_keys
from airflow_dataloader.loader.engines.spark.stamp import stamped
from airflow_dataloader.loader.engines.spark.types import Fit, fit, identity
from airflow_dataloader.loader.engines.spark.write import execute

#: Without them a MERGE writes the files of updated rows anew.
_WITH_DELETION_VECTORS = "spark.databricks.delta.merge.deletionVectors.persistent"


def merge(
    context: Context, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication
) -> Written:
    """Merge a stage into an existing target. Raises SchemaRefused where a column does not fit."""
    location = context.names.locate(target)
    types = tables.existing_types(context.spark, location, target, "the merge")
    fitted = fit(stage.columns, types)
    marked = DELETED_AT in commit.stamp and has_mark(types)
    rows = stamped(best_rows(context.names.locate(stage.name), stage, dedup, fitted), commit.stamp)
    text = merge_sql(location, rows, stage, dedup, fitted, marked=marked)
    make_ready(context.spark, location, fitted, types)
    return execute_merge(context, location, commit, text, stage)


def execute_merge(context: Context, location: Location, commit: Commit, text: str, stage: Stage) -> Written:
    """Execute a MERGE statement of a stage as the write that ``commit`` identifies."""
    confs = transaction_confs(commit)
    if any(is_name_of_deletion_vectors(column.name) for column in stage.columns):
        confs[_WITH_DELETION_VECTORS] = "false"

    def statement() -> None:
        with session_confs(context.spark, confs):
            context.spark.sql(text).collect()

    return history.written(execute(context.spark, context.interrupts, location, commit, statement))


def transaction_confs(commit: Commit) -> dict[str, str]:
    """Return the session's settings that give a MERGE its identity; it takes no options."""
    return {
        "spark.databricks.delta.write.txnAppId": commit.app_id,
        "spark.databricks.delta.write.txnVersion": str(commit.version),
        "spark.databricks.delta.commitInfo.userMetadata": commit.user_metadata(),
    }


def merge_sql(
    target: Location, rows: str, stage: Stage, dedup: Deduplication, fitted: Fit, *, marked: bool = False
) -> str:
    """Return the statement that merges ``rows``, a query of the stage's.

    Columns that the target lacks are added to it; columns that the stage lacks keep their values. ``marked``:
    the target marks deleted rows, and a row that is there again loses its mark.
    """
    differs, newer = _differs(stage, dedup, fitted), _newer(dedup, fitted)
    if marked:
        gone = f"t.{quoted(DELETED_AT)} IS NOT NULL"
        differs, newer = f"{differs} OR {gone}", f"({newer} OR {gone})"
    on = same_keys(dedup.keys, "t.", "s.")
    return (
        f"MERGE WITH SCHEMA EVOLUTION INTO {target.sql} t "
        f"USING ({rows}) s "
        f"ON {on} WHEN MATCHED AND {newer} AND ({differs}) "
        f"THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )


def _newer(dedup: Deduplication, fitted: Fit) -> str:
    if dedup.newest or dedup.cursor is None or dedup.cursor in fitted.added:
        return "TRUE"
    cursor = quoted(dedup.cursor)
    return f"(s.{cursor} IS NULL OR t.{cursor} IS NULL OR s.{cursor} >= t.{cursor})"


def _differs(stage: Stage, dedup: Deduplication, fitted: Fit) -> str:
    keys = {key.casefold() for key in dedup.keys}
    parts = []
    for column in stage.columns:
        name, kind = quoted(column.name), fitted.types[column.name]
        if column.name in fitted.added:
            parts.append(f"s.{name} IS NOT NULL")
        elif column.name.casefold() not in keys or identity(name, kind) != name:
            held = identity(fitted.held(column.name, "t."), kind)
            parts.append(f"NOT ({identity(f's.{name}', kind)} <=> {held})")
    return " OR ".join(parts) or "FALSE"
