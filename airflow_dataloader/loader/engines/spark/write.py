"""Executes one write and finds out what became of it: every path ends knowing, or says that it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.exceptions import DataloaderError, Fenced, OutcomeUnknown
from airflow_dataloader.loader.engines.protocol import HistoryEntry
from airflow_dataloader.loader.engines.spark import errors, history
from airflow_dataloader.loader.engines.spark.interrupts import Interrupts
from airflow_dataloader.loader.engines.spark.names import Location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

#: Attempts against another transaction (OPTIMIZE, a user's DELETE, a dead attempt's) that got in the way.
_ATTEMPTS = 3
#: How many of the newest commits are searched for the one that got in the way.
_NEWEST = 20

#: More loads than a row has while a backup is kept.
_GENEROUS = 1_000_000


def execute(
    spark: SparkSession,
    interrupts: Interrupts,
    location: Location,
    commit: Commit,
    statement: Callable[[], object],
) -> HistoryEntry:
    """Run ``statement`` and return the commit that it made, or had made before.

    Raises Fenced if the table has taken a later version, OutcomeUnknown if nobody can say what became of
    the write, or what stopped it. A write that did nothing is never taken for one that had nothing to do.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        failure = _run(interrupts, statement)
        entry = _own_commit(spark, interrupts, location, commit, failure)
        if entry is not None:
            return entry
        if failure is None or _is_overtaken(spark, location, commit, failure):
            raise _fenced(spark, location, commit) from failure
        if attempt == _ATTEMPTS or not errors.is_conflict(failure):
            raise errors.translate(failure, f"writing {location.sql}") from failure
        log.info("Another transaction got in the way at %s; attempt %d failed.", location.sql, attempt)
    raise AssertionError("unreachable")


def _fenced(spark: SparkSession, location: Location, commit: Commit) -> Fenced:
    """Return the error of a write that the table has skipped or refused, and say whose came before it."""
    newest = _entries(spark, location, commit)
    if any(entry.commit.version == commit.version for entry in newest):
        return Fenced(
            f"Target {location.sql} holds epoch {commit.epoch} of another load, of a copy of this control "
            "database; this one wrote nothing.",
            fix="see that no other control database loads this target, restored or copied from the same one",
        )
    # So many commits of others may have come since that only the whole history tells of it.
    told = newest if _holds_later(newest, commit) else _entries(spark, location, commit, limit=None)
    if not _holds_later(told, commit):
        # Delta keeps the number of a writer's last transaction when it cleans the history up.
        return Fenced(
            f"Target {location.sql} has taken a write of a later epoch than {commit.epoch}, and its history "
            "does not tell of it any more; this load wrote nothing. It is overtaken, or the control database "
            "is older than the target.",
            fix="if no other load holds the row, see that no other control database loads this target, run "
            f"`dataloader db advance-epoch {commit.config_id} EPOCH` with more than the row can have had, "
            f"such as {commit.epoch + _GENEROUS}, and load again",
        )
    return Fenced(f"A later load holds target {location.sql}; this one wrote nothing.")


def _holds_later(entries: Sequence[HistoryEntry], commit: Commit) -> bool:
    return any(entry.commit.version > commit.version for entry in entries)


def _entries(
    spark: SparkSession, location: Location, commit: Commit, *, limit: int | None = _NEWEST
) -> Sequence[HistoryEntry]:
    """Return the writer's own among the last ``limit`` commits, or among all."""
    try:
        return history.read(spark, location, commit.app_id, limit).entries
    except Exception as error:
        raise _unknown(location, error) from error


def _run(interrupts: Interrupts, statement: Callable[[], object]) -> Exception | None:
    with interrupts.statement():
        try:
            statement()
        except DataloaderError:
            # Ours, of what comes before a write is sent.
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the table's history decides what happened
            return error
    return None


def _is_overtaken(spark: SparkSession, location: Location, commit: Commit, failure: Exception) -> bool:
    """Return whether the write met a later one of the same writer, and not the last one of a dead attempt."""
    if not errors.report(failure).has(errors.TRANSACTION_CONFLICT):
        return False
    newest = _entries(spark, location, commit)
    return any(entry.commit.version >= commit.version for entry in newest)


def _own_commit(
    spark: SparkSession,
    interrupts: Interrupts,
    location: Location,
    commit: Commit,
    failure: Exception | None,
) -> HistoryEntry | None:
    """Look for the commit; raise OutcomeUnknown if the answer cannot be had."""
    if failure is not None and errors.is_lost(errors.report(failure), failure):
        raise _unknown(location, failure) from failure
    # A second look, because an interrupt of the statement may still hit the first.
    for last in (False, True):
        try:
            return history.find(spark, location, commit)
        except Exception as error:
            if last or not interrupts.stopping:
                raise _unknown(location, error) from error
    raise AssertionError("unreachable")


def _unknown(location: Location, error: Exception) -> OutcomeUnknown:
    told = errors.translate(error, f"writing {location.sql}")
    return OutcomeUnknown(
        f"Whether the write to {location.sql} landed is unknown. {told.message}", sqlstate=told.sqlstate
    )
