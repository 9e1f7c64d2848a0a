"""The end of a load in the control database: told once, patiently, and only by its own loader."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.exc import DBAPIError

from airflow_dataloader.control import settle
from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.error_line import log_bug
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.own_secrets import all_secrets
from airflow_dataloader.loader.strategies.outcome import Outcome

log = logging.getLogger(__name__)

#: Phases in which a write may be on its way to the target.
_WRITING = frozenset({Phase.FENCE, Phase.PUBLISH})


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a load ended. ``status`` is None where somebody else took the row and decides."""

    metadata_id: int
    status: LoadStatus | None
    message: str
    receipt: Receipt


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """Settles one started load, waiting out an outage for as long as the lease could last."""

    context: LoaderContext
    started: Started
    keeper: LeaseKeeper
    journal: Journal

    def succeeded(self, outcome: Outcome) -> Result:
        """Write Succeeded with the receipt and the row's new watermark."""
        self.context.observer.reached(self.started.config, Moment.SETTLING)
        call = partial(
            settle.succeed,
            self.context.control,
            self.started,
            receipt=self.journal.receipt,
            watermark=outcome.watermark,
            committed_before=outcome.committed_before,
            strategy_after=outcome.next_strategy,
            clear_load_full=outcome.load_full_done,
            staging_changed=bool(self.journal.receipt.columns_changed),
            message=" ".join(self.journal.receipt.notes),
        )
        try:
            settled = self.keeper.settle(call)
        except (DataloaderError, DBAPIError) as error:
            # The commit stands and names this load; the row's next load finds and adopts it.
            self._log_not_settled(error)
            return self._result(None, str(error))
        except BaseException:
            # Interrupted while it waited. Once more without waiting: the commit stands, and the next load
            # would have to repair what is not settled.
            try:
                call()
            except (DataloaderError, DBAPIError) as error:
                self._log_not_settled(error)
            raise
        self.context.observer.reached(self.started.config, Moment.SETTLED)
        return self._result(LoadStatus.SUCCEEDED, settled.message)

    def failed(self, error: BaseException) -> Result:
        """Write Failed, or Cancelled for an interrupt of this process, with what is known of the reason."""
        failure = describe(error, self.journal.phase)
        known = all_secrets(os.environ) | self.context.secrets.given
        if not isinstance(error, DataloaderError):
            # What somebody else's library says is as it left it.
            failure = replace(failure, message=scrub(failure.message, known))
        failure = replace(named(failure, self.started.config), besides=self._besides())
        cancelled = not isinstance(error, Exception)
        message = failure.sentence
        log.error("Failed in phase %s: %s", failure.phase, message)
        log_bug(error, known)
        call = partial(
            settle.fail,
            self.context.control,
            self.started,
            failure=failure,
            receipt=self.journal.receipt,
            cancelled=cancelled,
            # Also where it was interrupted right after its commit.
            load_full_done=self.journal.replaces_once and self.journal.receipt.target_version is not None,
        )
        try:
            self.keeper.settle(call)
        except (DataloaderError, DBAPIError) as fault:
            log.warning("Load %s was not settled by its loader: %s", self.started.metadata_id, fault)
            return self._result(None, f"{fault} Before that: {message}")
        return self._result(LoadStatus.CANCELLED if cancelled else LoadStatus.FAILED, message)

    def _besides(self) -> str | None:
        """Return what stands although the load failed; no later load has a reason to say it."""
        receipt = self.journal.receipt
        version = receipt.target_version
        if version is None and receipt.adopted is None:
            return None
        published = [] if version is None else [f"Version {version} of the target stands."]
        return " ".join((*published, *receipt.notes))

    def _log_not_settled(self, error: Exception) -> None:
        log.error("Load %s published but was not settled: %s", self.started.metadata_id, error)

    def _result(self, status: LoadStatus | None, message: str) -> Result:
        return Result(
            metadata_id=self.started.metadata_id,
            status=status,
            message=message,
            receipt=self.journal.receipt,
        )


def describe(error: BaseException, phase: Phase) -> Failure:
    """Return the failure to record. An error that nobody foresaw leaves a write's outcome open."""
    failure = Failure.of(error, phase)
    if phase in _WRITING and not isinstance(error, DataloaderError):
        return replace(failure, outcome_unknown=True)
    return failure


def to_report(error: BaseException, cause: BaseException | None, phase: Phase) -> BaseException:
    """Return what to say of a load that broke with ``error``, maybe because it was ended for ``cause``.

    The cause says why, but not what became of a write: an error that leaves that open comes before it.
    """
    return error if cause is None or describe(error, phase).outcome_unknown else cause


def named(failure: Failure, config: LoadConfig) -> Failure:
    """Return the failure with a message that names the row and the field, as a claim's refusals do."""
    missing = [name for name in (config.label, failure.field) if name and name not in failure.message]
    return replace(failure, message=": ".join((*missing, failure.message)))
