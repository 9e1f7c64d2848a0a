"""Why a row that somebody asked for was not claimed, in words."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.control.waiting import WaitReason, waiting
from airflow_dataloader.core.status import LIVE

_ROW = text("""
SELECT t.is_active, t.last_status, t.db_config_key, h.id, h.airflow_run
FROM control.table_control t
LEFT JOIN control.historical_metadata h ON h.config_id = t.config_id AND h.epoch = t.load_epoch
WHERE t.config_id = :config_id""")

#: What keeps the row, and when to ask for it again.
_WAITS = {
    WaitReason.FULL: ("the {most} loads that may live at the same time do", "after one's end"),
    WaitReason.PAUSED: ("source {source} is paused", "when it is not paused any more"),
    WaitReason.AT_LIMIT: (
        "as many loads of source {source} live as its max_concurrent_loads",
        "after one's end",
    ),
    WaitReason.HELD: ("another session held the row, or another load its target", "again"),
}


@dataclass(frozen=True, kw_only=True)
class Unclaimed:
    """What kept a row from being claimed."""

    #: A sentence about the row.
    why: str
    #: When to ask for it again, to follow a verb; None where that would be of no use.
    again: str | None = None
    #: What to do first, or instead.
    fix: str | None = None


def why_unclaimed(engine: Engine, config_id: int, *, max_concurrent: int) -> Unclaimed:
    """Return why a claim of this row alone came to nothing, as far as it can be seen a moment later."""
    name = f"config_id {config_id}"
    with transaction(engine, readonly=True) as connection:
        row = connection.execute(_ROW, {"config_id": config_id}, execution_options=LAST).one_or_none()
    if row is None:
        return Unclaimed(why=f"{name} was deleted.")
    if row.last_status in LIVE:
        holder = f"load {row.id} of Airflow run {row.airflow_run}" if row.id else "nobody who is on record"
        return Unclaimed(why=f"{name} is {row.last_status} and held by {holder}.", fix="wait for its end")
    if not row.is_active:
        return Unclaimed(why=f"{name} is not active.", fix="set is_active")
    waits = waiting(engine, max_concurrent=max_concurrent, only=[config_id])
    why, again = _WAITS[waits[0].reason if waits else WaitReason.HELD]
    said = why.format(source=row.db_config_key, most=max_concurrent)
    return Unclaimed(why=f"{name} cannot be claimed now: {said}.", again=again)
