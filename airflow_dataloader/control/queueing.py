"""Moving locked rows to Queued, each with a load of its own in the history."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from airflow_dataloader.control.errors import refusal_of
from airflow_dataloader.control.transaction import LAST, savepoint
from airflow_dataloader.core.row_label import row_label
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.exceptions import RowRefused

log = logging.getLogger(__name__)

#: Seconds that a load may wait for its loader's start before somebody has to ask after it.
FIRST_LEASE = 600

_QUEUE = text("""
SELECT * FROM control.queue_rows(
    CAST(:items AS jsonb), :airflow_run, :airflow_task, :airflow_base_url,
    make_interval(secs => :first_lease))""")


@dataclass(frozen=True, kw_only=True)
class Claimant:
    """Who claims, as the history records it."""

    airflow_run: str
    airflow_task: str | None = None
    #: The page of the DAG. Tells two DAGs, and two Airflows, that share a control database apart: their run
    #: ids may be equal.
    airflow_base_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row to queue: its next slots as PostgreSQL reads them, and what its load freezes, as JSON."""

    config_id: int
    slot: str | None
    #: Of the scan for deleted rows.
    scan_slot: str | None
    trigger: Trigger
    snapshot: str

    def at(self, place: int) -> str:
        """Return what ``control.queue_rows`` is told of it, as JSON; ids follow the order of places."""
        told = {
            "place": place,
            "config_id": self.config_id,
            "slot": self.slot,
            "scan_slot": self.scan_slot,
            "trigger": self.trigger,
        }
        return f'{json.dumps(told)[:-1]}, "snapshot": {self.snapshot}}}'


def queue(
    connection: Connection, entries: Sequence[Entry], claimant: Claimant, *, last: bool
) -> dict[int, tuple[int, int]]:
    """Queue rows that this transaction has locked; return config_id → (metadata_id, epoch).

    Loads get their ids in the order of ``entries``. With ``last``, the transaction ends with it.
    """
    values = {
        "items": f"[{', '.join(entry.at(place) for place, entry in enumerate(entries))}]",
        "airflow_run": claimant.airflow_run,
        "airflow_task": claimant.airflow_task,
        "airflow_base_url": claimant.airflow_base_url,
        "first_lease": FIRST_LEASE,
    }
    queued = connection.execute(_QUEUE, values, execution_options=LAST if last else {})
    return {row.config_id: (row.id, row.epoch) for row in queued}


def queue_each(
    connection: Connection,
    entries: Sequence[Entry],
    claimant: Claimant,
    settle: Callable[[Mapping[int, tuple[int, int]]], None],
) -> tuple[dict[int, tuple[int, int]], list[RowRefused]]:
    """Queue rows one by one; leave out, and say, which the database refuses to queue, or to settle."""
    ids: dict[int, tuple[int, int]] = {}
    refusals = []
    for entry in entries:
        try:
            with savepoint(connection):
                queued = queue(connection, [entry], claimant, last=False)
                settle(queued)
            ids |= queued
        except DBAPIError as error:
            refusal = refusal_of(error, entry.config_id, row_label(json.loads(entry.snapshot)))
            if refusal is None:
                raise
            log.error("Left out: %s", refusal)
            refusals.append(refusal)
    return ids, refusals
