"""When a load is given up, and what is said about it: rules, without a database or an API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.core.status import LoadStatus, RowStatus
from airflow_dataloader.core.wording import counted
from airflow_dataloader.defaults import PROGRESS_MINUTES, QUEUED_MINUTES

#: Seconds after a lease's end in which nobody may take its row over. A loader whose heartbeats do not get
#: through has stopped its own work before they are over.
GRACE_SECONDS = 300

#: Seconds by which a claim may lie in the future; one that lies further ahead was made by a clock that has
#: been set back since, and so may be all the load's other times.
_AHEAD = 60


@dataclass(frozen=True, kw_only=True)
class ReapLimits:
    """All in seconds; tests shorten them."""

    #: After a start of the database, loaders get this long to renew what they could not.
    startup: float = 90
    #: In all, from the claim, for a run that waits.
    queue: float = 60 * QUEUED_MINUTES
    #: What a waiting run is given at a time.
    extension: float = 600
    #: How long a lease must have been out.
    grace: float = GRACE_SECONDS
    #: Without a sign of progress. Its loader ends a load somewhat earlier, while that is still its own to
    #: settle.
    progress: float = 60 * PROGRESS_MINUTES
    #: Beyond the row's maximum runtime, from the claim: the end of a load whose run nobody can ask about.
    expiry: float = 3_600
    #: How long to wait for the end of cancelled runs, in all.
    wait: float = 60
    #: Between two questions to the API.
    poll: float = 2
    #: How long the API may keep whoever asks it waiting without an answer, in all, before it is left alone.
    silence: float = 5
    #: How long the API may be asked about runs, in all, however it answers: whoever reaps has other work.
    asking: float = 60
    #: After which another reap may go on with what one has begun.
    reaping: float = 120

    @classmethod
    def of_minutes(cls, *, queued: int, progress: int) -> Self:
        """Return the limits with those that a setting gives in minutes."""
        queue = 60.0 * queued
        # A run that may wait so long must not be given up sooner because nobody could ask about it just then.
        return cls(queue=queue, progress=60 * progress, expiry=max(cls.expiry, queue))


class EndReason(StrEnum):
    """Why a load was given up; ``failure.error``."""

    NOT_STARTED = "NotStarted"
    STUCK_IN_QUEUE = "StuckInQueue"
    RUN_ENDED = "RunEnded"
    RUN_CANCELLED = "RunCancelled"
    RUN_GONE = "RunGone"
    LEASE_EXPIRED = "LeaseExpired"
    NO_PROGRESS = "NoProgress"
    TIMED_OUT = "TimedOut"
    EXPIRED = "Expired"
    NOT_SUBMITTED = "NotSubmitted"
    ROW_LOST = "RowLost"

    @property
    def status(self) -> LoadStatus:
        """What the load ends as: a person or a limit that one set cancels it, the rest is a failure."""
        limits = {
            EndReason.STUCK_IN_QUEUE,
            EndReason.TIMED_OUT,
            EndReason.EXPIRED,
            EndReason.RUN_CANCELLED,
        }
        return LoadStatus.CANCELLED if self in limits else LoadStatus.FAILED

    @property
    def transient(self) -> bool:
        """Whether the same load may succeed later without anybody changing anything."""
        return self not in {EndReason.TIMED_OUT, EndReason.ROW_LOST}


@dataclass(frozen=True, kw_only=True)
class LiveLoad:
    """A load that owns its row, with the ages that the database's clock gives it, in seconds."""

    status: RowStatus
    #: Whether a run is recorded.
    has_run: bool
    max_runtime_minutes: int
    since_claim: float
    since_start: float
    since_progress: float
    #: Negative while the lease holds.
    lease_over: float
    #: Negative while somebody else is ending it; None: nobody is.
    reaping_over: float | None = None

    @property
    def is_fenced(self) -> bool:
        """Whether a reap has begun to end it. A queued load ends at once; such a time on it says nothing."""
        return self.reaping_over is not None and self.status is RowStatus.IN_PROGRESS

    def is_being_ended(self, limits: ReapLimits) -> bool:
        """Return whether a reap is at it; it promises to be done within ``limits.reaping`` seconds."""
        return self.reaping_over is not None and -limits.reaping <= self.reaping_over <= 0

    @property
    def was_claimed_ahead(self) -> bool:
        """Whether it was claimed by a clock that was set back since."""
        return self.since_claim < -_AHEAD

    @property
    def age(self) -> float:
        """Seconds since its claim; where that lies in the future, since the end of its lease."""
        return self.lease_over if self.was_claimed_ahead else self.since_claim

    @property
    def age_in_words(self) -> str:
        """What is said of the age."""
        return f"{_minutes(self.age)} after its {'lease ended' if self.was_claimed_ahead else 'claim'}"

    def may_have_a_lease_of_another_clock(self, limits: ReapLimits) -> bool:
        """Return whether the lease may end long after the one that its loader or claimer was promised."""
        # One that was renewed since ends before the time of the claim comes.
        ahead_of_claim = self.was_claimed_ahead and self.lease_over < self.since_claim
        return ahead_of_claim and self.lease_over < -(limits.extension + _AHEAD)


class Action(StrEnum):
    """What to do about a load."""

    LEAVE = "leave"
    #: Give it a lease from now on: more time to start, or one of a clock that was set back.
    EXTEND = "extend"
    #: Write its end; nothing of it is running, or what is will find itself refused.
    END = "end"
    #: Fence it first, end its run, then write its end.
    FENCE = "fence"
    #: Go on with what another reap has begun.
    TAKE_OVER = "take over"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An action, and for an end its reason in a word and in a sentence."""

    action: Action
    reason: EndReason | None = None
    message: str = ""
    termination_code: str | None = None

    @property
    def failure(self) -> Failure:
        """What goes on record of the load whose end was decided."""
        assert self.reason is not None, "an end has a reason"
        return Failure(
            phase=Phase.RUN,
            error=self.reason,
            message=self.message,
            transient=self.reason.transient,
            termination_code=self.termination_code,
        )


_LEAVE = Decision(action=Action.LEAVE)
_EXTEND = Decision(action=Action.EXTEND)


def must_ask(load: LiveLoad, limits: ReapLimits) -> bool:
    """Return whether the decision depends on the load's run."""
    if not load.has_run or load.is_fenced:
        return False
    return load.status is RowStatus.QUEUED or load.lease_over > 0 or _overdue(load, limits) is not None


def decide(load: LiveLoad, run: Run | None, limits: ReapLimits) -> Decision:
    """Return what to do. ``run`` is None where none is recorded, UNKNOWN where it cannot be asked about."""
    if load.is_fenced:
        return _LEAVE if load.is_being_ended(limits) else Decision(action=Action.TAKE_OVER)
    if run is not None and run.state is RunState.UNKNOWN:
        return _unseen(load, limits)
    if load.status is RowStatus.QUEUED:
        return _queued(load, run, limits)
    if run is not None and run.state is RunState.ENDED:
        return run_ended(load.status, run)
    return _overdue(load, limits, run) or _waited_for(load, limits)


def _waited_for(load: LiveLoad, limits: ReapLimits) -> Decision:
    """Leave a load; one whose loader may be dead ends with its lease, if that is not years ahead."""
    # Never given up at once: its loader may live, and renew within seconds what the clock made of its lease.
    return _EXTEND if load.may_have_a_lease_of_another_clock(limits) else _LEAVE


def _unseen(load: LiveLoad, limits: ReapLimits) -> Decision:
    if load.age <= load.max_runtime_minutes * 60 + limits.expiry:
        return _waited_for(load, limits)
    return Decision(
        action=Action.FENCE if load.status is RowStatus.IN_PROGRESS else Action.END,
        reason=EndReason.EXPIRED,
        message=f"Cancelled - not settled {load.age_in_words}, and its run could not be asked about",
    )


def _queued(load: LiveLoad, run: Run | None, limits: ReapLimits) -> Decision:
    if run is None or run.state is RunState.GONE:
        # A lease further ahead than any that is given was written by hand, and is no reason to wait for ever.
        if load.lease_over <= 0 and load.since_claim <= max(limits.queue, limits.extension):
            return _waited_for(load, limits)
        within = f"within {_minutes(load.since_claim)} of its claim"
        nothing = (
            f"Nothing started this load {'before its lease ended' if load.was_claimed_ahead else within}"
        )
        return Decision(
            action=Action.END,
            reason=EndReason.RUN_GONE if run else EndReason.NOT_STARTED,
            message=f"{nothing}, and its workspace answers that its run does not exist."
            if run
            else f"{nothing}.",
        )
    if run.state is RunState.ENDED:
        return run_ended(load.status, run)
    if load.age > limits.queue:
        return Decision(
            action=Action.END,
            reason=EndReason.STUCK_IN_QUEUE,
            message=f"Cancelled - stuck in queue for >{_minutes(limits.queue)}",
        )
    return _waited_for(load, limits) if load.was_claimed_ahead else _EXTEND


def run_ended(status: RowStatus, run: Run) -> Decision:
    """Return the end of a load that its loader left in ``status`` when its run was over."""
    started = status is RowStatus.IN_PROGRESS
    when = "before its loader settled the load" if started else "before its loader started"
    said = run.reason.strip().rstrip(".") or "no reason given"
    return Decision(
        action=Action.END,
        reason=EndReason.RUN_CANCELLED if run.cancelled else EndReason.RUN_ENDED,
        message=f"The run ended {when}: {said}.",
        termination_code=run.termination_code,
    )


def _overdue(load: LiveLoad, limits: ReapLimits, run: Run | None = None) -> Decision | None:
    if load.status is not RowStatus.IN_PROGRESS:
        return None
    runtime = load.max_runtime_minutes * 60
    if load.lease_over > limits.grace:
        silent = f"Its loader has not been heard of since its lease ended {_minutes(load.lease_over)} ago"
        gone = run is not None and run.state is RunState.GONE
        reason, message = (
            EndReason.LEASE_EXPIRED,
            f"{silent}, and its workspace answers that its run does not exist." if gone else f"{silent}.",
        )
    elif load.since_start > runtime:
        reason, message = (
            EndReason.TIMED_OUT,
            f"Cancelled - exceeded {load.max_runtime_minutes} minute timeout",
        )
    elif load.since_progress > limits.progress:
        reason, message = (
            EndReason.NO_PROGRESS,
            f"No progress for {_minutes(load.since_progress)}.",
        )
    else:
        return None
    return Decision(action=Action.FENCE, reason=reason, message=message)


def _minutes(seconds: float) -> str:
    return counted(int(seconds // 60), "minute")
