"""Whether a table still is what a writer's newest publishing commit made of it, by its own history."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_dataloader.loader.engines.protocol import HistoryEntry

if TYPE_CHECKING:
    from pyspark.sql import Row

#: Operations after which a table may hold anything, whoever had filled it.
_REPLACING = ("RESTORE", "CLONE", "CONVERT", "TRUNCATE", "CREATE TABLE", "CREATE OR REPLACE", "REPLACE TABLE")
#: Predicates of a DELETE that is a TRUNCATE by another name, as Delta stores them.
_EVERY_ROW = ("[]", '["true"]')
#: Operations that may leave no row, whatever their condition says.
_DELETING = frozenset({"DELETE", "MERGE"})


def is_continuous(
    rows: Sequence[Row],
    entries: Sequence[HistoryEntry | None],
    app_id: str,
    *,
    whole: bool,
    emptied: Callable[[int], bool],
) -> bool | None:
    """Return whether nobody has replaced the table, or loaded it under another name, since ``app_id``.

    It is asked of all versions above the one that ``app_id`` saw when it began its newest publishing commit,
    which others' commits may lie between. ``rows``: a stretch of the history, newest first; ``entries``: what
    each is as a commit of ours; ``whole``: the stretch is all that is kept; ``emptied``: whether a version
    has no rows. None: it is too short to say.
    """
    # What the writer's newest publishing commit was made over; unknown until that commit is met.
    base: tuple[int, str] | None = None
    for row, entry in zip(rows, entries, strict=True):
        if base is not None and row.version <= base[0]:
            # Another digest, or a gap at this version: the number was that of another table's version.
            return (row.version, digest(row)) == base
        if _breaks(row, entry, app_id):
            return False
        # What the load wrote beside it fills the table again, and no later one would find it empty.
        if (
            base is not None
            and entry is None
            and str(row.operation).upper() in _DELETING
            and emptied(row.version)
        ):
            return False
        if entry is None or not entry.commit.publishes:
            continue
        if entry.commit.facts.read_version is None:
            # It has replaced everything itself.
            return True
        base = base or entry.commit.facts.read_version
    if not whole:
        return None
    # A history that was cleaned up, or there was no table before.
    return base is not None and rows[-1].version > base[0]


def is_blank(rows: Sequence[Row], entries: Sequence[HistoryEntry | None]) -> bool:
    """Return whether a fence of ours has made the table and only fences came after, in a whole history.

    A catalogue's table is created in a commit of its own, before the fence's.
    """
    others = [row for row, entry in zip(rows, entries, strict=True) if entry is None]
    created = all(row.version == 0 and str(row.operation).upper() == "CREATE TABLE" for row in others)
    fences = [entry.commit for entry in entries if entry is not None]
    return (
        created
        and not any(one.publishes for one in fences)
        and any(one.facts.table_created for one in fences)
    )


def digest(row: Row) -> str:
    """Return what tells a version from the same one of another table; as stored, whoever copied the table."""
    parts = (row.operation, row.userMetadata, *sorted((row.operationMetrics or {}).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _breaks(row: Row, entry: HistoryEntry | None, app_id: str) -> bool:
    if entry is not None:
        return entry.commit.publishes and entry.commit.app_id != app_id
    parameters: Mapping[str, Any] = row.operationParameters or {}
    operation = str(row.operation).upper()
    overwrites = parameters.get("mode") == "Overwrite"
    empties = operation == "DELETE" and parameters.get("predicate") in _EVERY_ROW
    # However it was made, the first version is of a new table.
    return row.version == 0 or overwrites or empties or operation.startswith(_REPLACING)
