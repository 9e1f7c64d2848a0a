"""The claim: what is due becomes loads, each row's exactly once, however many ask at the same time."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError

from airflow_dataloader.control.arm import arm, arm_each
from airflow_dataloader.control.due import Taken, TakenRow, Wanted, locked_by_others, take, taken_from
from airflow_dataloader.control.ending import Ending, SettledBy, end
from airflow_dataloader.control.errors import is_about_row, silent_refusal
from airflow_dataloader.control.next_load import NextLoad, next_load
from airflow_dataloader.control.queueing import Claimant, Entry, queue, queue_each
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.json_text import read_json
from airflow_dataloader.core.row_label import row_label
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.defaults import BATCH_SIZE, MAX_CONCURRENT_LOADS
from airflow_dataloader.exceptions import ConfigurationError, RowRefused

log = logging.getLogger(__name__)

#: Any number that no other software is likely to lock; claims of one database wait for each other on it.
_LOCK = 0x6164_6C63_6C61

#: Rows that cannot be loaded and that one claim settles; more are left to the next.
_SETTLED_AT_ONCE = 1_000

#: Seconds for which a claim steps over rows that the database refuses to write. They are enough for some
#: hundreds of rows, and other claims wait meanwhile.
_STEPPING_OVER = 3

#: Looks that find nothing but rows in other hands, a bulk edit's say, after which the rest is left to the
#: next claim. From the second on, each looks twice as far as the one before it, up to so many rows.
_LOOKS_IN_VAIN = 10
_FURTHEST = 10_000

_GIVEN_UP = (
    "This claim ends early: %s rows that are due are locked by other sessions, and hide those behind them. "
    "pg_stat_activity names transactions that were left open"
)

#: The claim's statements are written for their indexes. A planner whose statistics are out of date, after a
#: bulk import say, would scan the whole table, and compiling a plan takes longer than running it.
_BY_INDEX = {"enable_seqscan": "off", "enable_bitmapscan": "off", "jit": "off"}

#: One round trip for three questions, since each alone costs as much as the last: what this run has claimed
#: before, whether rows wait to be armed, and what is due.
_BEGIN = text("""
SELECT * FROM control.begin_claim(
    :airflow_run, :airflow_base_url, :only_row, :wanted, :max_concurrent, CAST(:asked AS bigint[]))
""")


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A load that a run has claimed. ``load_status`` may be anything by now; a fresh one is Queued."""

    metadata_id: int
    epoch: int
    config_id: int
    #: ``historical_metadata.config_snapshot``: the configuration, frozen, with its names resolved.
    config: Mapping[str, Any]
    load_status: str
    #: How it ended, where it has.
    message: str | None
    max_runtime_minutes: int

    @property
    def label(self) -> str:
        """Name the row in a message."""
        return row_label(self.config)


def claim(
    engine: Engine,
    *,
    airflow_run: str,
    batch_size: int = BATCH_SIZE,
    max_concurrent: int = MAX_CONCURRENT_LOADS,
    only: Sequence[int] | None = None,
    left_out: Sequence[int] = (),
    trigger: Trigger = Trigger.SCHEDULE,
    airflow_task: str | None = None,
    airflow_base_url: str | None = None,
) -> list[Claimed]:
    """Claim what is due, at most ``batch_size`` rows; return the run's loads in order of id.

    A run that has claimed before gets the same loads again, ended ones too, and claims nothing. Rows
    whose ids are in ``only`` are claimed whatever their slot, where they are active and not live; never those
    of ``left_out``. Limits hold in any case: at most ``max_concurrent`` loads in all, a
    source's own limit, nothing from a paused source. Rows that cannot be loaded are settled Failed on the
    spot, are in the answer, and take nobody's place; nor does one that the database refuses to queue, which
    is left out and logged. Where there is nothing but such rows, raises RowRefused for the first, with the
    others in it.
    """
    claimant = Claimant(airflow_run=airflow_run, airflow_task=airflow_task, airflow_base_url=airflow_base_url)

    def attempt(*, each: bool) -> list[Claimed]:
        with transaction(engine, settings=_BY_INDEX, lock=_LOCK) as connection:
            wanted = Wanted(
                rows=batch_size, max_concurrent=max_concurrent, only=only, left_out=tuple(left_out)
            )
            claiming = _Claiming(connection, claimant, trigger, wanted, each=each)
            claimed = claiming.run()
        # What was armed beside rows that the database refuses is kept.
        if not claimed:
            claiming.raise_refusals()
        return claimed

    try:
        return attempt(each=False)
    except (ConfigurationError, DBAPIError) as error:
        if not is_about_row(error):
            raise
        log.info("A row cannot be queued; queueing each by itself: %s", error)
    # Rather the whole claim again than a savepoint in every one.
    return attempt(each=True)


def insert_initial_metadata(engine: Engine, config_id: int, *, airflow_run: str) -> Claimed | None:
    """Queue one row now, with its record in the history; None where it may not be loaded now.

    A run that has had this row queued before gets the same load again, whatever else it has claimed. Raises
    ConfigurationError where the database refuses to write the row.
    """
    claimant = Claimant(airflow_run=airflow_run)
    wanted = Wanted(rows=1, max_concurrent=MAX_CONCURRENT_LOADS, only=[config_id])
    with transaction(engine, settings=_BY_INDEX, lock=_LOCK) as connection:
        claiming = _Claiming(connection, claimant, Trigger.MANUAL, wanted)
        loads = claiming.run(only_row=config_id)
    if not loads:
        claiming.raise_refusals()
    return loads[-1] if loads else None


class _Claiming:
    """One claim under way: takes rows, queues them, and settles those that cannot be loaded.

    With ``each``, a row that the database refuses to queue stops no other.
    """

    def __init__(
        self,
        connection: Connection,
        claimant: Claimant,
        trigger: Trigger,
        wanted: Wanted,
        *,
        each: bool = False,
    ) -> None:
        self._connection = connection
        self._claimant = claimant
        self._trigger = trigger
        self._wanted = wanted
        self._each = each
        self._begun = time.monotonic()
        self._claimed: list[Claimed] = []
        #: Of those, rows that could not be loaded.
        self._settled = 0
        #: Of rows that the database refused to queue, or to end.
        self._refusals: list[RowRefused] = []

    def run(self, *, only_row: int | None = None) -> list[Claimed]:
        """Return what the run has claimed before, of one row or of all; where that is nothing, claim."""
        wanted = self._wanted
        begun = self._connection.execute(
            _BEGIN,
            {
                "airflow_run": self._claimant.airflow_run,
                "airflow_base_url": self._claimant.airflow_base_url,
                "only_row": only_row,
                # The look that it ends with leaves nothing out.
                **(replace(wanted, rows=0) if wanted.left_out else wanted).as_parameters(),
            },
        ).all()
        if begun and begun[0].metadata_id is not None:
            return [_again(row) for row in begun]
        if begun and begun[0].unarmed:
            (arm_each if self._each else arm)(self._connection)
        if wanted.left_out or (begun and begun[0].unarmed):
            self._fill(take(self._connection, wanted, handled=wanted.left_out))
        else:
            self._fill(taken_from(self._connection, begun))
        return self._claimed

    def raise_refusals(self) -> None:
        """Raise RowRefused for the first row that the database refused, if any, with the others in it."""
        if self._refusals:
            first, *others = self._refusals
            first.others = tuple(others)
            raise first

    def _fill(self, taken: Taken) -> None:
        """Queue what was taken, and more until as many as wanted can be loaded, or there are no more."""
        handled = list(self._wanted.left_out)
        in_vain = locked = 0
        while True:
            done = self._queue(taken.rows, more=bool(taken.locked))
            if done and not taken.locked:
                # All that were wanted, or all that there are.
                return
            # Others take the places of those that cannot be loaded, or that somebody else holds just now.
            in_vain = 0 if taken.rows else in_vain + 1
            locked += len(taken.locked)
            if in_vain >= _LOOKS_IN_VAIN:
                log.warning(_GIVEN_UP, locked)
            if in_vain >= _LOOKS_IN_VAIN or self._must_stop():
                return
            handled += [row.config_id for row in taken.rows] + list(taken.locked)
            if in_vain > 1:
                # Rows behind the locked ones that are locked, too: the next look passes over all of them.
                further = min(self._wanted.rows << in_vain, _FURTHEST)
                held = locked_by_others(
                    self._connection, taken.locked, self._wanted, handled=handled, at_most=further
                )
                handled += held
                locked += len(held)
            missing = self._wanted.rows + self._settled - len(self._claimed)
            taken = take(self._connection, replace(self._wanted, rows=missing), handled=handled)

    def _must_stop(self) -> bool:
        """Return whether other claims have waited for long enough, or enough rows were settled."""
        late = bool(self._refusals) and time.monotonic() - self._begun > _STEPPING_OVER
        return late or self._settled >= _SETTLED_AT_ONCE

    def _queue(self, rows: Sequence[TakenRow], *, more: bool) -> bool:
        """Queue ``rows``, settle those that cannot be loaded, and return whether the claim needs no others.

        Where all can be loaded and there is no ``more`` to look for, the statement that queues them also
        commits: nothing can take the place of a row that a trigger then leaves out without an error.
        """
        if not rows:
            return True
        loads = {row.config_id: next_load(row) for row in rows}
        wrong = any(load.wrong for load in loads.values())
        last = not (self._each or more or wrong)
        entries = [self._entry(row, loads[row.config_id]) for row in rows]
        if self._each:
            ids, refusals = queue_each(
                self._connection, entries, self._claimant, lambda queued: self._settle(loads, queued)
            )
            self._refusals += refusals
        else:
            ids = queue(self._connection, entries, self._claimant, last=last)
            self._settle(loads, ids)
        self._note_left_out(loads, ids)
        self._record({config_id: load for config_id, load in loads.items() if config_id in ids}, ids)
        return last or (len(ids) == len(rows) and not wrong)

    def _note_left_out(self, loads: Mapping[int, NextLoad], ids: Mapping[int, tuple[int, int]]) -> None:
        """Log and keep a refusal for each row that the database has left out without an error."""
        said = {refusal.config_id for refusal in self._refusals}
        for config_id, load in loads.items():
            if config_id not in ids and config_id not in said:
                refusal = silent_refusal(config_id, row_label(load.snapshot))
                log.error("Left out: %s", refusal)
                self._refusals.append(refusal)

    def _entry(self, row: TakenRow, load: NextLoad) -> Entry:
        return Entry(
            config_id=row.config_id,
            slot=load.slot,
            scan_slot=load.scan_slot,
            trigger=self._why(row),
            snapshot=load.written,
        )

    def _settle(self, loads: Mapping[int, NextLoad], ids: Mapping[int, tuple[int, int]]) -> None:
        """Settle those of the queued loads that cannot be loaded."""
        if endings := [_refusal(ids[one], loads[one]) for one in ids if loads[one].wrong]:
            end(self._connection, endings)

    def _record(self, loads: Mapping[int, NextLoad], ids: Mapping[int, tuple[int, int]]) -> None:
        """Take note of the queued loads."""
        for config_id, load in loads.items():
            refused = _refusal(ids[config_id], load).failure.sentence if load.wrong else None
            status = LoadStatus.QUEUED if refused is None else LoadStatus.FAILED
            self._claimed.append(_claimed(*ids[config_id], load.snapshot, status, refused))
            self._settled += refused is not None

    def _why(self, row: TakenRow) -> Trigger:
        return Trigger.RETRY if row.is_retry and self._trigger is Trigger.SCHEDULE else self._trigger


def _again(row: Row[Any]) -> Claimed:
    """Return a load that the run has claimed before."""
    return _claimed(row.metadata_id, row.epoch, read_json(row.snapshot), row.load_status, row.log_message)


def _refusal(ids: tuple[int, int], load: NextLoad) -> Ending:
    first, *others = load.wrong
    also = f" Also {'; '.join(f'{other.field}: {other.what}' for other in others)}." if others else ""
    failure = Failure(
        phase=Phase.CLAIM,
        error=ConfigurationError.__name__,
        message=f"{row_label(load.snapshot)} cannot be loaded: {first.field}: {first.what}.{also}",
        transient=False,
        field=first.field,
        fix=first.fix,
    )
    metadata_id, epoch = ids
    return Ending(
        metadata_id=metadata_id,
        epoch=epoch,
        status=LoadStatus.FAILED,
        failure=failure,
        settled_by=SettledBy.CLAIM,
    )


def _claimed(
    metadata_id: int, epoch: int, snapshot: Mapping[str, Any], status: str, message: str | None
) -> Claimed:
    return Claimed(
        metadata_id=metadata_id,
        epoch=epoch,
        config_id=snapshot["config_id"],
        config=snapshot,
        load_status=status,
        message=message,
        max_runtime_minutes=snapshot["max_runtime_minutes"],
    )
