"""Appends what a target does not hold, in one append; what it holds is never touched."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.core.schema_change import new_key
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.engines.spark import history, tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.dedup import all_rows, best_rows, rank_column
from airflow_dataloader.loader.engines.spark.evolve import make_ready
from airflow_dataloader.loader.engines.spark.filled_later import WholeRows, refuse_doubles
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.publish import identity_options
from airflow_dataloader.loader.engines.spark.sql import same_keys, select
from airflow_dataloader.loader.engines.spark.stamp import stamped
from airflow_dataloader.loader.engines.spark.types import Fit, fit
from airflow_dataloader.loader.engines.spark.value_range import between, extremes
from airflow_dataloader.loader.engines.spark.write import execute


def append_missing(
    context: Context, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication
) -> Written:
    """Append the stage's rows that the target lacks.

    Raises SchemaRefused where a column does not fit, or whole rows cannot be told by their columns any more.
    """
    spark, location, source = context.spark, context.names.locate(target), context.names.locate(stage.name)
    types = tables.existing_types(spark, location, target, "the append")
    fitted = fit(stage.columns, types)
    _refuse_new_keys(dedup, fitted)
    rows, narrowed = _measure(context, source, stage, dedup, fitted)
    if dedup.keys:
        text = missing_keys_sql(location, source, stage, dedup, fitted=fitted, narrowed=narrowed)
    else:
        whole = WholeRows(target=location, source=source, stage=stage, fitted=fitted, narrowed=narrowed)
        if whole.comparable:
            refuse_doubles(context, whole, rows)
        text = missing_rows_sql(whole)
    text = stamped(text, commit.stamp)
    make_ready(spark, location, fitted, types)

    def statement() -> None:
        # Planned anew for each attempt: the transaction that got in the way may have added rows.
        writer = spark.sql(text).write.format("delta").mode("append").option("mergeSchema", "true")
        location.save(writer.options(**identity_options(commit)))

    done = history.written(execute(spark, context.interrupts, location, commit, statement))
    return Written(
        version=done.version,
        rows_inserted=done.rows_inserted,
        rows_in=rows,
        rows_present=rows - done.rows_inserted,
    )


def _measure(
    context: Context, source: Location, stage: Stage, dedup: Deduplication, fitted: Fit
) -> tuple[int, str]:
    """Count the rows that may be added, and say where in the target each of them is, if it is there.

    Two equal rows have equal cursors, and two rows of one key equal keys: no row outside the stage's range of
    that column can be one of the stage's. The cursor of a key may have changed, so it narrows nothing there.
    """
    keys = ", ".join(quoted(key) for key in dedup.keys)
    column = dedup.keys[0] if dedup.keys else dedup.cursor or ""
    # No type, and so no range, where the target has no such column.
    kind = fitted.types[column] if column and column not in fitted.added else ""
    count = f"COUNT(DISTINCT {keys})" if keys else "COUNT(1)"
    asked = [count, *extremes(column, kind)]
    (row,) = context.ask(select(", ".join(asked), all_rows(source, stage, fitted)))
    if len(asked) == 1:
        return int(row[0]), "TRUE"
    narrowed = between(column, kind, row[1], row[2])
    return int(row[0]), narrowed if keys else f"({narrowed} OR {quoted(column)} IS NULL)"


def missing_keys_sql(
    target: Location, source: Location, stage: Stage, dedup: Deduplication, *, fitted: Fit, narrowed: str
) -> str:
    """Return the query of the staged rows whose key the target does not hold, one row a key."""
    keys = ", ".join(quoted(key) for key in dedup.keys)
    on = same_keys(dedup.keys, "s.", "h.")
    held = select(keys, target.sql, narrowed)
    best = best_rows(source, stage, dedup, fitted)
    return select("s.*", f"({best}) s LEFT ANTI JOIN ({held}) h ON {on}")


def missing_rows_sql(rows: WholeRows) -> str:
    """Return the query of the staged rows beyond the number of equal ones that the target holds.

    Equal means: in every column of the stage; a row of the target has NULL in one that only comes.
    """
    if not rows.comparable:
        return rows.items()
    number = rank_column(rows.stage.columns)
    alike = ", ".join(rows.staged(name) for name in rows.columns)
    place = f"ROW_NUMBER() OVER (PARTITION BY {alike} ORDER BY {alike}) AS {number}"
    numbered = select(f"*, {place}", rows.items())
    on = " AND ".join(f"{rows.staged(name, 's.')} <=> h.c{index}" for index, name in enumerate(rows.columns))
    columns = ", ".join(f"s.{quoted(name)}" for name in rows.columns)
    joined = f"({numbered}) s LEFT JOIN ({rows.held(rows.columns)}) h ON {on}"
    return select(columns, joined, f"s.{number} > COALESCE(h.n, 0)")


def _refuse_new_keys(dedup: Deduplication, fitted: Fit) -> None:
    for key in dedup.keys:
        if key in fitted.added:
            raise new_key(key)
