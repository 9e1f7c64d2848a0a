"""The states of a table row and of a load; the database's trigger knows the moves between them."""

from __future__ import annotations

from enum import StrEnum


class RowStatus(StrEnum):
    """``table_control.last_status``; SQL NULL (never run, or reset for a retry) is None here."""

    #: Set by the claim; left when the loader starts, or when the load is given up.
    QUEUED = "Queued"
    #: Set by the loader's start; left by its settlement, by cancel, or by reap.
    IN_PROGRESS = "In Progress"
    #: Written by the loader alone, after its commit is proved; left by the next claim, or by reset_for_retry.
    SUCCEEDED = "Succeeded"
    #: Written by whoever gives up first; left by the next claim, or by reset_for_retry.
    FAILED = "Failed"


class LoadStatus(StrEnum):
    """``historical_metadata.load_status``: the state of one load. The last three are final."""

    QUEUED = "Queued"
    IN_PROGRESS = "In Progress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    #: A person, or the maximum runtime, ended the load; the row itself is Failed.
    CANCELLED = "Cancelled"


#: Statuses in which a load owns its row.
LIVE = frozenset({RowStatus.QUEUED, RowStatus.IN_PROGRESS})

#: Statuses of a load in which nothing will change any more.
OVER = frozenset({LoadStatus.SUCCEEDED, LoadStatus.FAILED, LoadStatus.CANCELLED})
