"""The one place that gives up on loads; :mod:`airflow_dataloader.core.reaping` has the rules.

No transaction is open while an API is asked. What was decided may be out of date when it is written, so every
write names what it was decided by: the epoch, and the lease or the progress that was seen.

Each load is given up by itself: one that somebody keeps locked, or whose end the database refuses, is left to
the next reap and holds up no other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Engine, text

from airflow_dataloader.control.ending import Ending, SettledBy, end
from airflow_dataloader.control.live import ObservedLoad, live_loads
from airflow_dataloader.control.strays import Stray, end_strays, lost_loads, stuck_rows
from airflow_dataloader.control.takeover import PATIENCE, fence, take_over
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.reaping import Action, Decision, EndReason, ReapLimits, decide, must_ask
from airflow_dataloader.core.run_api import Run, RunApi, RunApiUnavailable, RunState
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, NotMigrated

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

_One = TypeVar("_One", bound="_GivenUp")
_Id = TypeVar("_Id")

#: Seconds between the start of the database and now. A start that is far from now in either direction is not
#: recent: the clock may have been set back since.
_UP = text("SELECT abs(extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()))::float")

#: A load that somebody holds just now is extended by the next reap. One in progress only where its lease is
#: of a clock that was set back: its loader may have renewed it since.
_EXTEND = text("""
WITH held AS MATERIALIZED (
    SELECT id FROM control.historical_metadata
    WHERE id = ANY (:ids) AND (load_status = 'Queued' OR (load_status = 'In Progress'
        AND coalesce(lease_until, 'infinity') > clock_timestamp() + make_interval(secs => :extension)))
    FOR UPDATE SKIP LOCKED
)
UPDATE control.historical_metadata h SET
    lease_until = clock_timestamp() + make_interval(secs => :extension)
FROM held WHERE h.id = held.id""")

#: Somebody else holds the load: a lock was not given in time, or waiting for it would never have ended.
_HELD = frozenset({"55P03", "40P01"})

_LOCKED = "somebody holds a lock on it"


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """A load that was given up; ``metadata_id`` is None for a live row that had none."""

    metadata_id: int | None
    config_id: int | None
    status: LoadStatus
    message: str


@dataclass(frozen=True, kw_only=True)
class Left:
    """A load, or a live row without one, whose end could not be written: the next reap tries again."""

    metadata_id: int | None
    config_id: int | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Reaping:
    """What one reap did, and what it had to leave."""

    ended: tuple[Reaped, ...] = ()
    left: tuple[Left, ...] = ()


class _GivenUp(Protocol):
    """What is given up: a load, or a live row without one."""

    @property
    def metadata_id(self) -> int | None:
        """The load's id; None: there is none."""

    @property
    def config_id(self) -> int | None:
        """The row's id, where one is on record."""


@dataclass(frozen=True, kw_only=True)
class _Condemned:
    """A load to be ended, and the epoch that its end has to name."""

    seen: ObservedLoad
    epoch: int
    failure: Failure

    @property
    def metadata_id(self) -> int:
        return self.seen.metadata_id

    @property
    def config_id(self) -> int | None:
        return self.seen.config_id

    @property
    def reason(self) -> EndReason:
        return EndReason(self.failure.error)

    def ending(self) -> Ending:
        unstarted = self.reason in {EndReason.NOT_STARTED, EndReason.RUN_GONE}
        return Ending(
            metadata_id=self.seen.metadata_id,
            epoch=self.epoch,
            status=self.reason.status,
            failure=self.failure,
            settled_by=SettledBy.REAP,
            while_in=frozenset({self.seen.load.status}),
            lease_until=self.seen.lease_until if unstarted else None,
        )


def reap(engine: Engine, *, run_api: RunApi | None, limits: ReapLimits | None = None) -> Reaping:
    """Give up on loads whose time is over, and say which. ``run_api`` None: no run can be asked about.

    Safe to call from anywhere at any time: several at once share the work, and what one leaves undone the
    next takes over. Waits up to ``limits.wait`` seconds where runs have to be cancelled. An API that has kept
    silent for more than ``limits.silence`` seconds is left alone, and one that took more than
    ``limits.asking`` for its answers is asked about no more: its other runs are unknown to this reap. The
    same goes for ends: their loads are over, whatever their runs do.
    """
    return _Reaper(engine, run_api, limits or ReapLimits()).work()


class _Reaper:
    """One reap under way."""

    def __init__(self, engine: Engine, api: RunApi | None, limits: ReapLimits) -> None:
        self._engine = engine
        self._api = api
        self._limits = limits
        self._left: list[Left] = []
        #: Seconds that questions for a decision have taken, and those that any have which got no answer.
        self._asking = 0.0
        self._silence = 0.0

    def work(self) -> Reaping:
        with transaction(self._engine, readonly=True) as connection:
            if connection.execute(_UP).scalar_one() < self._limits.startup:
                return Reaping()
            loads = live_loads(connection)
        decided = [(seen, self._decide(seen)) for seen in loads]
        self._extend([seen.metadata_id for seen, decision in decided if decision.action is Action.EXTEND])
        over = [(seen, made.failure) for seen, made in decided if made.action is Action.END]
        ended = self._end([_Condemned(seen=seen, epoch=seen.epoch, failure=why) for seen, why in over])
        fenced = [condemned for seen, made in decided if (condemned := self._fence(seen, made))]
        runs = _runs_to_cancel(loads, ended + fenced)
        self._cancel(runs)
        self._wait({condemned.seen.run for condemned in fenced if condemned.seen.run} & runs)
        given_up = [_reaped(condemned) for condemned in ended + self._end(fenced)]
        return Reaping(ended=(*given_up, *self._strays()), left=tuple(self._left))

    def _decide(self, seen: ObservedLoad) -> Decision:
        """Decide about one load; whatever its record makes of the rules keeps no other."""
        run = self._ask(seen)
        try:
            return decide(seen.load, run, self._limits)
        except Exception as error:
            log.exception("Load %s cannot be judged", seen.metadata_id)
            why = f"it cannot be judged ({type(error).__name__}: {str(error)[:200]})"
            self._leave(seen, why)
            return Decision(action=Action.LEAVE)

    def _ask(self, seen: ObservedLoad) -> Run | None:
        """Return the load's run, None if it has none; where nothing depends on it, say that it is running."""
        if seen.run is None:
            return None
        if not must_ask(seen.load, self._limits):
            return Run(state=RunState.RUNNING)
        if self._asking > self._limits.asking:
            log.warning("Run %s is not asked about: the API answers slowly", seen.run[1])
            return Run(state=RunState.UNKNOWN)
        begun = time.monotonic()
        try:
            return self._state(seen.run)
        finally:
            self._asking += time.monotonic() - begun

    def _state(self, run: tuple[str | None, str]) -> Run:
        if self._api is None:
            return Run(state=RunState.UNKNOWN)
        try:
            return self._reach(partial(self._api.state, *run))
        except RunApiUnavailable as error:
            log.warning("Run %s could not be asked about: %s", run[1], error)
        except Exception:
            # What one answer makes of its reader keeps no other load.
            log.exception("Run %s could not be asked about", run[1])
        return Run(state=RunState.UNKNOWN)

    def _reach(self, question: Callable[[], _Answer]) -> _Answer:
        """Return the API's answer; one that keeps silent is not asked for every run how long it can.

        One that answers at once with a refusal, be it for one run alone, goes on being asked.
        """
        if self._silence > self._limits.silence:
            raise RunApiUnavailable("the API has kept silent before")
        begun = time.monotonic()
        try:
            return question()
        except RunApiUnavailable:
            self._silence += time.monotonic() - begun
            raise

    def _extend(self, ids: Sequence[int]) -> None:
        if ids:
            with transaction(self._engine) as connection:
                values = {"ids": list(ids), "extension": self._limits.extension}
                connection.execute(_EXTEND, values, execution_options=LAST)

    def _fence(self, seen: ObservedLoad, decision: Decision) -> _Condemned | None:
        seconds = self._limits.reaping
        if decision.action is Action.TAKE_OVER:
            failure = _left_behind(seen)
            epoch = self._alone(seen, lambda: take_over(self._engine, seen, seconds=seconds))
        elif decision.action is Action.FENCE:
            failure, reason = decision.failure, EndReason(decision.failure.error)
            epoch = self._alone(seen, lambda: fence(self._engine, seen, reason, failure, seconds=seconds))
        else:
            return None
        return None if epoch is None else _Condemned(seen=seen, epoch=epoch, failure=failure)

    def _end(self, condemned: Sequence[_Condemned]) -> list[_Condemned]:
        """Write the ends; return the loads that this reap ended."""
        ids = self._write_all(condemned, self._write)
        return [load for load in condemned if load.metadata_id in ids]

    def _write(self, condemned: Sequence[_Condemned]) -> set[int]:
        with transaction(self._engine, settings=PATIENCE) as connection:
            return end(connection, [load.ending() for load in condemned], last=True)

    def _strays(self) -> list[Reaped]:
        """End what has no row, and then what has no load: a row may have lost its own just now."""
        ended: list[Reaped] = []
        for find in (lost_loads, partial(stuck_rows, expiry=self._limits.expiry)):
            with transaction(self._engine, readonly=True) as connection:
                found = find(connection)
            over = self._write_all(found, self._write_strays)
            ended += [_reaped_stray(stray) for stray in found if stray in over]
        return ended

    def _write_strays(self, strays: Sequence[Stray]) -> set[Stray]:
        with transaction(self._engine, settings=PATIENCE) as connection:
            found = end_strays(connection, strays, expiry=self._limits.expiry)
        for stray in (stray for stray, ended in found.items() if not ended):
            self._leave(stray, _LOCKED)
        return {stray for stray, ended in found.items() if ended}

    def _write_all(self, ones: Sequence[_One], write: Callable[[Sequence[_One]], set[_Id]]) -> set[_Id]:
        """Write about all of them at once, or about each alone where one of them keeps the others."""
        if not ones:
            return set()
        try:
            return write(ones)
        except (ControlUnavailable, ConfigurationError) as error:
            if _concerns_one(error) is None:
                raise
        return set[_Id]().union(*(self._alone(one, partial(write, [one])) or () for one in ones))

    def _alone(self, one: _GivenUp, write: Callable[[], _Answer]) -> _Answer | None:
        """Write about one; None where it has to be left to the next reap."""
        try:
            return write()
        except (ControlUnavailable, ConfigurationError) as error:
            why = _concerns_one(error)
            if why is None:
                raise
            self._leave(one, why)
            return None

    def _leave(self, one: _GivenUp, why: str) -> None:
        self._left.append(Left(metadata_id=one.metadata_id, config_id=one.config_id, why=why))

    def _cancel(self, runs: Iterable[tuple[str | None, str]]) -> None:
        until = time.monotonic() + self._limits.asking
        for run in runs:
            try:
                if time.monotonic() > until:
                    raise RunApiUnavailable("the API answers slowly")
                if self._api is not None:
                    self._reach(partial(self._api.cancel, *run))
            except RunApiUnavailable as error:
                # Its loads are fenced or over; whatever it still does is refused.
                log.warning("Run %s could not be cancelled: %s", run[1], error)
            except Exception:
                log.exception("Run %s could not be cancelled", run[1])

    def _wait(self, runs: set[tuple[str | None, str]]) -> None:
        """Wait until the runs are over, or nobody can tell, or for long enough."""
        until = time.monotonic() + self._limits.wait
        while runs and time.monotonic() < until:
            runs = {run for run in runs if time.monotonic() < until and self._lives(run)}
            if runs:
                time.sleep(min(self._limits.poll, max(0.0, until - time.monotonic())))

    def _lives(self, run: tuple[str | None, str]) -> bool:
        return self._state(run).state in {RunState.PENDING, RunState.RUNNING}


def _concerns_one(error: ControlUnavailable | ConfigurationError) -> str | None:
    """Return why one load cannot be ended just now; None where no load can be."""
    if isinstance(error, ControlUnavailable):
        return _LOCKED if error.sqlstate in _HELD else None
    return None if isinstance(error, NotMigrated) else str(error)


def _left_behind(seen: ObservedLoad) -> Failure:
    """Return the end that the reap before us had already decided and recorded, as far as it can be read."""
    said = {key: value for key, value in (seen.failure or {}).items() if key != "settled_by"}
    try:
        failure = Failure(**{**said, "phase": Phase(said["phase"]), "error": EndReason(said["error"])})
        if isinstance(failure.sentence, str):
            return failure
    except (AttributeError, KeyError, TypeError, ValueError):
        log.warning("What a reap had recorded of load %s cannot be read", seen.metadata_id)
    message = "Its end was begun, and why was not recorded in a form that can be read."
    return Failure(phase=Phase.RUN, error=EndReason.LEASE_EXPIRED, message=message, transient=True)


def _runs_to_cancel(
    loads: Sequence[ObservedLoad], condemned: Sequence[_Condemned]
) -> set[tuple[str | None, str]]:
    """Return the runs of ended loads that go on, but not one that still has another load to do."""
    ended = {load.metadata_id for load in condemned}
    spared = {seen.run for seen in loads if seen.metadata_id not in ended}
    over = {EndReason.RUN_ENDED, EndReason.RUN_CANCELLED, EndReason.RUN_GONE}
    spared |= {load.seen.run for load in condemned if load.reason in over}
    return {load.seen.run for load in condemned if load.seen.run and load.seen.run not in spared}


def _reaped(condemned: _Condemned) -> Reaped:
    return Reaped(
        metadata_id=condemned.metadata_id,
        config_id=condemned.config_id,
        status=condemned.reason.status,
        message=condemned.failure.sentence,
    )


def _reaped_stray(stray: Stray) -> Reaped:
    return Reaped(
        metadata_id=stray.metadata_id,
        config_id=stray.config_id,
        status=LoadStatus.FAILED,
        message=stray.message,
    )
