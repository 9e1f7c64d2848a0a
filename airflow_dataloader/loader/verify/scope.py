"""Which rows of source and target are to be the same, by the row's strategy."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dataloader.core.names import quoted
from airflow_dataloader.core.strategy import IN_PIECES, NEEDS_CURSOR, NullCursorPolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.days import freeze_days, slice_predicate
from airflow_dataloader.loader.engines.protocol import Deduplication
from airflow_dataloader.loader.engines.target_sql import literal
from airflow_dataloader.loader.keys import key_columns
from airflow_dataloader.loader.schema import needed_columns
from airflow_dataloader.loader.verify.source_view import SourceView
from airflow_dataloader.sources.model import CursorPlan


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What is compared."""

    #: Names of the key columns; empty: rows have no key.
    keys: tuple[str, ...]
    #: Predicate of the source's rows, in its SQL; None: all.
    where: str | None = None
    #: Predicate of the target's rows, in the engine's SQL; None: all.
    held: str | None = None
    #: Predicate of the source's rows that a later load brings, or that loads pass over, so that the target
    #: may hold their keys as they were before; None: there are none.
    later: str | None = None
    #: How loads choose among rows of one key; None: they do not.
    dedup: Deduplication | None = None


def scope_of(view: SourceView) -> Scope:
    """Return what the target is to hold by now.

    Raises ConfigurationError where nothing says how far the target has come.
    """
    config = view.config
    keys = _keys(view)
    if config.days_column is not None:
        days = freeze_days(view)
        return Scope(keys=keys, where=days.where, held=slice_predicate(days))
    if config.strategy not in NEEDS_CURSOR:
        return Scope(keys=keys)
    return _up_to_the_watermark(view, keys)


def _keys(view: SourceView) -> tuple[str, ...]:
    """Return the key columns; none where the source lacks one and no load would ask for it."""
    try:
        return key_columns(view)
    except ConfigurationError as error:
        if error.field in dict(needed_columns(view.config)):
            raise
        view.journal.remark(f"Rows are compared as wholes: {error.message}")
        return ()


def _up_to_the_watermark(view: SourceView, keys: tuple[str, ...]) -> Scope:
    config, dialect = view.config, view.dialect
    watermark = config.incremental_value
    if watermark is None and config.strategy in IN_PIECES:
        raise ConfigurationError(
            f"The backfill of {config.label} has not ended.",
            field="load_strategy",
            fix="verify the row when its load_strategy has become incremental",
        )
    cursor = dialect.cursor(view.described, view.columns, config)
    # Asked for its refusal of a watermark that is no value of the cursor.
    dialect.freeze(view.session.query, view.relation, cursor, watermark)
    within = dialect.window_predicate(cursor, None, watermark, null_policy=config.null_cursor_policy)
    if watermark is not None and config.watermark_of not in (None, config.watermark_hash):
        view.journal.remark(
            "The row was edited since its watermark was reached: its next load reads everything."
        )
    later = f"NOT ({within})"
    if not keys:
        return Scope(keys=keys, where=within, held=_held_up_to(cursor, watermark), later=later)
    named = [
        view.dialect.find_column(view.columns, name, field="primary_key_cols") for name in config.primary_key
    ]
    if config.null_cursor_policy is not NullCursorPolicy.INCLUDE:
        # Loads pass a row without a cursor over, and one that has lost its own may be at the target yet.
        later = f"({later} OR {dialect.quote(cursor.column.source_name)} IS NULL)"
    present = " AND ".join(f"{dialect.quote(column.source_name)} IS NOT NULL" for column in named)
    return Scope(
        keys=keys,
        where=f"({within}) AND {present}",
        later=f"({later}) AND {present}",
        dedup=Deduplication(keys=keys, cursor=cursor.column.name),
    )


def _held_up_to(cursor: CursorPlan, watermark: str | None) -> str:
    """Return the predicate of the target's rows up to the watermark, and of those without a cursor."""
    name = quoted(cursor.column.name)
    if watermark is None:
        return f"{name} IS NULL"
    bound = literal(watermark, cursor.type, cursor.column.type)
    # The target holds the blanks, and compares them.
    within = f"RTRIM({name}) <= RTRIM({bound})" if cursor.padded else f"{name} <= {bound}"
    return f"{within} OR {name} IS NULL"
