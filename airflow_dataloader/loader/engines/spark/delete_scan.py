"""Rows that a target holds and its source does not: compared by key, then deleted or marked in one MERGE."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.load_columns import DELETED_AT, OWN_COLUMNS
from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.core.schema_change import new_key
from airflow_dataloader.loader.engines.protocol import KeyComparison, Stage, Written
from airflow_dataloader.loader.engines.spark import tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.deleted_mark import NO_MARK, add_mark, has_mark
from airflow_dataloader.loader.engines.spark.merge import execute_merge
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.sql import present, same_keys, select
from airflow_dataloader.loader.engines.spark.types import Fit, fit

_MARK = quoted(DELETED_AT)


def compare_keys(
    context: Context, target: TargetName, keys: Stage, *, mark: bool, repeated: bool
) -> KeyComparison:
    """Count the target's rows by whether the stage has their key."""
    location, types = _look(context, target)
    if mark and not has_mark(types):
        add_mark(context.spark, location)
        types[DELETED_AT] = OWN_COLUMNS[DELETED_AT]
    text = compare_sql(location, context.names.locate(keys.name), keys, types, repeated=repeated)
    (row,) = context.ask(text)
    return KeyComparison(**{name: int(value) for name, value in row.asDict().items()})


def delete_gone(
    context: Context, target: TargetName, keys: Stage, commit: Commit, *, mark: bool, repeated: bool
) -> Written:
    """Delete or mark the rows whose key the stage lacks, and take the mark off those whose key it has."""
    location, types = _look(context, target)
    source = context.names.locate(keys.name)
    text = delete_sql(location, source, keys, types, mark=mark, repeated=repeated)
    return execute_merge(context, location, commit, text, keys)


def _look(context: Context, target: TargetName) -> tuple[Location, dict[str, str]]:
    location = context.names.locate(target)
    return location, tables.existing_types(context.spark, location, target, "its rows were compared")


def compare_sql(
    target: Location, source: Location, keys: Stage, types: dict[str, str], *, repeated: bool = False
) -> str:
    """Return the query whose one row is a :class:`KeyComparison`."""
    names = _names(keys)
    keyed = present(names, "t.")
    found, alone = _found(target, source, keys, types, repeated=repeated)
    own = ", ".join([*map(quoted, names), _mark_item(types)])
    counts = {
        "held": f"t._adl_held AND t.{_MARK} IS NULL",
        "gone": f"t._adl_held AND t.{_MARK} IS NULL AND s._adl_here IS NULL AND {keyed}",
        "keyless": f"t._adl_held AND NOT ({keyed})",
        "returned": f"t.{_MARK} IS NOT NULL AND s._adl_here{alone}",
        "marked": f"t.{_MARK} IS NOT NULL AND s._adl_here IS NULL AND {keyed}",
        "missing": "t._adl_held IS NULL",
    }
    items = ", ".join(f"COUNT_IF({condition}) AS {name}" for name, condition in counts.items())
    held = select(f"{own}, TRUE AS _adl_held", target.sql)
    here = select("*, TRUE AS _adl_here", found)
    on = same_keys(names, "t.", "s.")
    return select(items, f"({held}) t FULL JOIN ({here}) s ON {on}")


def delete_sql(
    target: Location,
    source: Location,
    keys: Stage,
    types: dict[str, str],
    *,
    mark: bool,
    repeated: bool = False,
) -> str:
    """Return the statement. It needs no condition against rows of earlier scans: it ends where they ended."""
    found, alone = _found(target, source, keys, types, repeated=repeated)
    back = f"WHEN MATCHED AND t.{_MARK} IS NOT NULL{alone} THEN UPDATE SET t.{_MARK} = NULL "
    names = _names(keys)
    missing = f"WHEN NOT MATCHED BY SOURCE AND {present(names, 't.')}"
    then = (
        f" AND t.{_MARK} IS NULL THEN UPDATE SET t.{_MARK} = CURRENT_TIMESTAMP()" if mark else " THEN DELETE"
    )
    on = same_keys(names, "t.", "s.")
    return (
        f"MERGE INTO {target.sql} t USING ({found}) s ON {on} "
        f"{back if has_mark(types) else ''}{missing}{then}"
    )


def _found(
    target: Location, source: Location, keys: Stage, types: dict[str, str], *, repeated: bool
) -> tuple[str, str]:
    """Return the query of the stage's keys, ``s``, and what a row must meet beside, to lose its mark."""
    found = distinct_keys(source, keys, types)
    if not (repeated and has_mark(types)):
        return found, ""
    names = _names(keys)
    live = select(
        f"DISTINCT {', '.join(map(quoted, names))}, TRUE AS _adl_live", target.sql, f"{_MARK} IS NULL"
    )
    both = f"({found}) k LEFT JOIN ({live}) l ON {same_keys(names, 'k.', 'l.')}"
    return select("k.*, l._adl_live", both), " AND s._adl_live IS NULL"


def distinct_keys(source: Location, keys: Stage, types: dict[str, str]) -> str:
    """Return the query of the stage's keys, each once, in the types that the target has."""
    fitted = _fit(keys, types)
    items = ", ".join(fitted.select(column) for column in keys.columns)
    return select(f"DISTINCT {items}", source.sql, present(_names(keys)))


def _fit(keys: Stage, types: dict[str, str]) -> Fit:
    fitted = fit(keys.columns, types)
    for key in fitted.added:
        raise new_key(key)
    return fitted


def _names(keys: Stage) -> list[str]:
    return [column.name for column in keys.columns]


def _mark_item(types: dict[str, str]) -> str:
    return _MARK if has_mark(types) else NO_MARK
