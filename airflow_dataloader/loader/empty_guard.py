"""The guard of a filled target: what would leave it empty is refused, unless the row allows that."""

from __future__ import annotations

from airflow_dataloader.core.strategy import EmptySourcePolicy
from airflow_dataloader.exceptions import EmptySource
from airflow_dataloader.loader.active_load import ActiveLoad


def must_keep_rows(load: ActiveLoad) -> bool:
    """Return whether the target holds rows, and the row does not allow a load to take them all."""
    filled = load.target is not None and load.target.filled
    return filled and load.config.empty_source_policy is not EmptySourcePolicy.ALLOW


def refuse_empty_source(load: ActiveLoad) -> None:
    """Raise EmptySource if the source is empty, the target is not, and the row does not allow that."""
    if not must_keep_rows(load):
        return
    ((any_row,),) = load.session.query(load.dialect.probe_sql(load.relation, None))
    if not any_row:
        refuse_nothing_read(load)


def refuse_nothing_read(load: ActiveLoad) -> None:
    """Raise EmptySource for a source of which nothing was read, as :func:`refuse_empty_source` does."""
    if must_keep_rows(load):
        raise EmptySource(
            f"The source of {load.config.label} is empty, and its target is not.",
            field="empty_source_policy",
            fix="fill the source, or set empty_source_policy to allow if the target shall be emptied",
        )


def refuse_empty_window(load: ActiveLoad) -> None:
    """Raise EmptySource for a window without a row over a filled target, as for an empty source."""
    if must_keep_rows(load):
        raise EmptySource(
            f"No row that {load.config.label} reads lies in its window, and its target is not empty.",
            field="empty_source_policy",
            fix="see whether the source still gets rows, or set empty_source_policy to allow if the window "
            "may be empty",
        )


def refuse_emptying(load: ActiveLoad) -> None:
    """Raise EmptySource for a source of which no row can go into a filled target, as for an empty one."""
    if must_keep_rows(load):
        raise EmptySource(
            f"No row that {load.config.label} reads has both a key and a cursor, and its target is not "
            "empty.",
            field="primary_key_cols",
            fix="name key and cursor columns that the source fills, or set empty_source_policy to allow "
            "if the target shall be emptied",
        )
