"""Compares one row's source with its target: by digests of parts, then key by key where those differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from airflow_dataloader.core.comparison import Compared, PartDifferences, PartDigest, Parts
from airflow_dataloader.core.encoding import ORDERED, family
from airflow_dataloader.core.load_columns import unmarked
from airflow_dataloader.core.plan import PlannedColumn, ReadPlan
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.protocol import Rows, Target, TargetRows
from airflow_dataloader.loader.reading import read_everything, read_where, source_errors, take_columns
from airflow_dataloader.loader.schema import needed_columns, refuse_ignored
from airflow_dataloader.loader.verify.columns import Match, match
from airflow_dataloader.loader.verify.scope import Scope, scope_of
from airflow_dataloader.loader.verify.source_view import SourceView
from airflow_dataloader.loader.verify.verified import KEYS_NAMED, Verified

#: Rows that a part has at least, and parts that there are at most.
PART_ROWS = 1_000
MOST_PARTS = 64


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Both sides of one comparison."""

    view: SourceView
    scope: Scope
    compared: Compared
    held: TargetRows
    #: The keys that a later load brings, to be left out on both sides; None: there are none.
    later: Rows | None


def compare(view: SourceView, target: Target) -> Verified:
    """Compare; raise one of our errors where source and target cannot be compared."""
    config = view.config
    matched = match(view.columns, target.columns, config.schema_policy)
    if matched.ignored:
        left = [one for one in view.described if one.name not in matched.ignored]
        if not left:
            return _without_columns(view, matched, _count(view, None), target)
        refuse_ignored(needed_columns(config), matched.ignored)
        # Loads choose among rows of one key, and refuse values, without them.
        take_columns(view, left)
    scope = scope_of(view)
    rows, later = _count(view, scope.where), _count(view, scope.later) if scope.later else 0
    if not matched.columns and not scope.keys:
        return _without_columns(view, matched, rows, target)
    compared = _compared(view, scope, matched.columns, rows)
    predicates = [f"({part})" for part in (scope.held, unmarked(target.columns, view.columns)) if part]
    sides = _Sides(
        view=view,
        scope=scope,
        compared=compared,
        held=TargetRows(target=config.target, version=target.version, where=" AND ".join(predicates) or None),
        later=_keys(view, scope) if later and scope.keys else None,
    )
    found, target_rows = _differences(sides)
    return Verified(
        config_id=config.config_id,
        label=config.label,
        columns=matched.differences,
        parts=tuple(found),
        compared=compared,
        source_rows=rows,
        target_rows=target_rows,
        later_rows=later,
        target_version=target.version,
        notes=(*matched.notes, *view.journal.receipt.notes),
    )


def _without_columns(view: SourceView, matched: Match, rows: int, target: Target) -> Verified:
    """Return what there is to say where no column of the two is alike, and rows have no key."""
    reason = f"The source of {view.config.label} and its target have no column in common."
    return Verified(
        config_id=view.config.config_id,
        label=view.config.label,
        reason=None if matched.differences else reason,
        columns=matched.differences,
        source_rows=rows,
        target_version=target.version,
        notes=(*matched.notes, *view.journal.receipt.notes),
    )


def _differences(sides: _Sides) -> tuple[Sequence[PartDifferences], int]:
    """Return the parts that differ, and the number of the target's rows."""
    view, scope, compared = sides.view, sides.scope, sides.compared
    engine, where = view.engine, scope.where
    with source_errors(view, scope.later):
        own = engine.digests(sides.held, compared, without=sides.later)
    target_rows = sum(digest.rows for digest in own.values())
    theirs = view.dialect.digests(view.session.query, view.relation, compared, where=where)
    if theirs is not None:
        unlike = _unlike(theirs, own)
        if not unlike and scope.dedup and engine.duplicates(view.config.target, scope.keys, 1):
            # The source has such rows, too; loads would have chosen one of them.
            unlike = range(compared.parts.count)
        elif unlike:
            where = _both(where, view.dialect.within_parts(compared, unlike))
    else:
        with source_errors(view, where):
            rows = engine.read(_plan(view, where))
            theirs = engine.digests(rows, compared, dedup=scope.dedup, without=sides.later)
        unlike = _unlike(theirs, own)
    if not unlike:
        return (), target_rows
    # Loads choose among rows of one key, which the source's own digests do not know: only this decides.
    with source_errors(view, where):
        rows = engine.read(_plan(view, where))
        found = engine.differences(
            rows, sides.held, compared, unlike, dedup=scope.dedup, without=sides.later, limit=KEYS_NAMED
        )
    return found, target_rows


def _unlike(theirs: Mapping[int, PartDigest], own: Mapping[int, PartDigest]) -> Collection[int]:
    return sorted(number for number in theirs.keys() | own.keys() if theirs.get(number) != own.get(number))


def _compared(view: SourceView, scope: Scope, columns: tuple[PlannedColumn, ...], rows: int) -> Compared:
    by_name = {column.name: column for column in columns}
    for name in scope.keys:
        if name not in by_name:
            raise SchemaRefused(
                f"Key column {name} of {view.config.label} is not alike at source and target.",
                field="primary_key_cols",
                fix="load the row with load_full = 'true', so that the target gets the source's columns",
            )
    keys = tuple(by_name[name] for name in scope.keys)
    return Compared(columns=columns, keys=keys, parts=_parts(view, scope, keys, rows))


def _parts(view: SourceView, scope: Scope, keys: Sequence[PlannedColumn], rows: int) -> Parts:
    """Cut by ranges of the first key column, if it has enough values; else by hash."""
    wanted = min(MOST_PARTS, rows // PART_ROWS)
    if wanted < 2:
        return Parts(count=1)
    if keys and family(keys[0].type) in ORDERED:
        cuts = view.dialect.key_cuts(
            view.session.query, view.relation, keys[0], where=scope.where, rows=rows, parts=wanted
        )
        if len(cuts) >= wanted // 2:
            return Parts(count=len(cuts) + 1, column=keys[0], cuts=cuts)
    return Parts(count=wanted)


def _count(view: SourceView, where: str | None) -> int:
    return int(view.session.query(view.dialect.count_sql(view.relation, where))[0][0])


def _plan(view: SourceView, where: str | None, columns: tuple[PlannedColumn, ...] | None = None) -> ReadPlan:
    return read_everything(view, columns) if where is None else read_where(view, where, columns)


def _keys(view: SourceView, scope: Scope) -> Rows:
    """Prepare a read of nothing but the keys that a later load brings."""
    names = set(scope.keys)
    columns = tuple(column for column in view.columns if column.name in names)
    return view.engine.read(_plan(view, scope.later, columns))


def _both(one: str | None, other: str) -> str:
    return f"({one}) AND ({other})" if one else other
