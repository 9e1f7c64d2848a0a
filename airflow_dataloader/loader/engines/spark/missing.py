"""Appends what a target does not hold, in one append; what it holds is never touched."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.engines.spark import history, tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.dedup import best_rows, rank_column
from airflow_dataloader.loader.engines.spark.evolve import allow, needed_properties
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.publish import identity_options
from airflow_dataloader.loader.engines.spark.span import between, extremes
from airflow_dataloader.loader.engines.spark.sql import same_keys, select
from airflow_dataloader.loader.engines.spark.stamp import stamped
from airflow_dataloader.loader.engines.spark.types import Fit, fit, identity
from airflow_dataloader.loader.engines.spark.write import execute


def append_missing(
    context: Context, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication
) -> Written:
    """Append the stage's rows that the target lacks. Raises SchemaRefused where a column does not fit."""
    spark, location, source = context.spark, context.names.locate(target), context.names.locate(stage.name)
    types = tables.existing_types(spark, location, target, "the append")
    fitted = fit(stage.columns, types)
    _refuse_new_keys(dedup, fitted)
    rows, narrowed = _measure(context, source, stage, dedup, fitted)
    if dedup.keys:
        text = missing_keys_sql(location, source, stage, dedup, fitted=fitted, narrowed=narrowed)
    else:
        text = missing_rows_sql(location, source, stage, fitted=fitted, narrowed=narrowed)
    text = stamped(text, commit.stamp)
    allow(spark, location, needed_properties(fitted, types))

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
    (row,) = context.spark.sql(select(", ".join(asked), _items(source, stage, fitted))).collect()
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


def missing_rows_sql(target: Location, source: Location, stage: Stage, *, fitted: Fit, narrowed: str) -> str:
    """Return the query of the staged rows beyond the number of equal ones that the target holds.

    Equal means: in every column that both have. Among equal rows those with NULL in the new columns count as
    the ones that are held.
    """
    both = [column.name for column in stage.columns if column.name not in fitted.added]
    if not both:
        return _items(source, stage, fitted)
    number = rank_column(stage.columns)
    alike = ", ".join(_identity(name, fitted) for name in both)
    order = ", ".join(f"{_identity(name, fitted)} NULLS FIRST" for name in [*sorted(fitted.added), *both])
    place = f"ROW_NUMBER() OVER (PARTITION BY {alike} ORDER BY {order}) AS {number}"
    numbered = select(f"*, {place}", _items(source, stage, fitted))
    theirs = ", ".join(f"{_held(name, fitted)} AS c{index}" for index, name in enumerate(both))
    groups = ", ".join(f"c{index}" for index in range(len(both)))
    held = select(f"{groups}, COUNT(1) AS n", select(theirs, target.sql, narrowed)) + f" GROUP BY {groups}"
    on = " AND ".join(f"{_identity(name, fitted, 's.')} <=> h.c{index}" for index, name in enumerate(both))
    columns = ", ".join(f"s.{quoted(column.name)}" for column in stage.columns)
    joined = f"({numbered}) s LEFT JOIN ({held}) h ON {on}"
    return select(columns, joined, f"s.{number} > COALESCE(h.n, 0)")


def _items(source: Location, stage: Stage, fitted: Fit) -> str:
    """Return the query of all staged rows, in the types that the target has."""
    return select(", ".join(fitted.select(column) for column in stage.columns), source.sql)


def _identity(name: str, fitted: Fit, qualifier: str = "") -> str:
    return identity(f"{qualifier}{quoted(name)}", fitted.types[name])


def _held(name: str, fitted: Fit) -> str:
    """Return a target's column in the type in which it is compared, so that equal values are identical."""
    return identity(fitted.held(name), fitted.types[name])


def _refuse_new_keys(dedup: Deduplication, fitted: Fit) -> None:
    for key in dedup.keys:
        if key in fitted.added:
            raise SchemaRefused(
                f"Key column {key} is new: the rows that the target holds cannot be told by it.",
                field="primary_key_cols",
                fix="set load_full = 'true' on the row to replace the table once with the source's columns",
            )
