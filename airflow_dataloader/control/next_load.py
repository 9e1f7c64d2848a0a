"""What a claim decides of a row that it has locked: what its load does, what stops it, its next slots."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_dataloader.control.arm import NEVER
from airflow_dataloader.control.cron import UnreadableCron, next_slot
from airflow_dataloader.control.due import TakenRow
from airflow_dataloader.core.config_snapshot import text
from airflow_dataloader.core.problems import Problem, problems
from airflow_dataloader.core.strategy import DeletePolicy
from airflow_dataloader.exceptions import DataloaderError

log = logging.getLogger(__name__)

_ANOTHER_LOOK = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class NextLoad:
    """A row's next load, and the slots after it as PostgreSQL reads them."""

    slot: str | None
    #: Of the scan for deleted rows.
    scan_slot: str | None
    #: What the load freezes; ``delete_scan`` in it says that the load looks for deleted rows, too.
    snapshot: Mapping[str, Any]
    #: The same as JSON.
    written: str
    #: What stops the row from being loaded; empty: nothing.
    wrong: tuple[Problem, ...]


def next_load(row: TakenRow) -> NextLoad:
    """Return the load that a row is to have now, and what comes after it."""
    wrong = [_unreadable(name) for name in row.unreadable] or _judged(row)
    slot = scan_slot = None
    snapshot, written = row.snapshot, row.written
    if load_cron := text(row.snapshot, "load_cron"):
        try:
            slot = next_slot(load_cron, row.load_timezone, row.at).isoformat()
        except DataloaderError as error:
            slot = NEVER if isinstance(error, UnreadableCron) else _looked_at_again(row)
            wrong.append(_problem(error, "load_cron"))
    delete_cron = text(row.snapshot, "delete_cron")
    if delete_cron and row.snapshot.get("delete_policy") in {DeletePolicy.SCAN, DeletePolicy.SOFT}:
        try:
            scan_slot = _scan_slot(row, delete_cron).isoformat()
        except DataloaderError as error:
            wrong.append(_problem(error, "delete_cron"))
        if _is_due(row) or row.repeats_scan:
            snapshot = {**snapshot, "delete_scan": True}
            written = json.dumps(snapshot)
    return NextLoad(
        slot=slot,
        scan_slot=scan_slot,
        snapshot=snapshot,
        written=written,
        wrong=tuple(dict.fromkeys(wrong)),
    )


def _judged(row: TakenRow) -> list[Problem]:
    """Return what is wrong with a row; whatever its judgement meets is wrong with it, not with the claim."""
    try:
        return problems(row.snapshot)
    except Exception as error:
        log.exception("config_id %s cannot be judged", row.config_id)
        what = f"cannot be judged ({type(error).__name__}: {str(error)[:200]})"
        return [Problem("config_id", what, "mend the column that this is about, or set is_active = false")]


def _unreadable(name: str) -> Problem:
    return Problem(
        name,
        "holds a number that is too long to be read, or is nested too deeply",
        "write what the documentation says, and numbers of a usual length",
    )


def _is_due(row: TakenRow) -> bool:
    return row.next_delete_scan is not None and row.next_delete_scan <= row.at


def _scan_slot(row: TakenRow, delete_cron: str) -> datetime:
    """Return the slot after this load; a retry takes none away."""
    if row.next_delete_scan is not None and not _is_due(row):
        return row.next_delete_scan
    return next_slot(delete_cron, row.load_timezone, row.at, field="delete_cron")


def _looked_at_again(row: TakenRow) -> str:
    """Return when to ask again for the slot that this machine cannot tell now."""
    return (row.at + _ANOTHER_LOOK).isoformat()


def _problem(error: DataloaderError, column: str) -> Problem:
    field = error.field or column
    what = error.message.removeprefix(f"{field} ").removesuffix(".")
    return Problem(field=field, what=what, fix=error.fix or "")
