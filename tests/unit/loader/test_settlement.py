"""What is recorded of a load that broke."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.exceptions import EngineFailed, OutcomeUnknown, SourceRefused, SourceStalled
from airflow_dataloader.loader.settlement import describe, named, to_report
from tests.source_configs import config


@pytest.mark.parametrize("phase", [Phase.FENCE, Phase.PUBLISH])
def test_an_error_that_nobody_foresaw_leaves_a_write_s_outcome_open(phase: Phase) -> None:
    assert describe(ValueError("?"), phase).outcome_unknown
    assert describe(KeyboardInterrupt(), phase).outcome_unknown


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.PLAN, Phase.STAGE])
def test_before_any_write_nothing_is_open(phase: Phase) -> None:
    assert not describe(ValueError("?"), phase).outcome_unknown


def test_our_own_errors_say_themselves_what_they_know() -> None:
    assert not describe(EngineFailed("stopped"), Phase.PUBLISH).outcome_unknown
    assert describe(OutcomeUnknown("lost"), Phase.PUBLISH).outcome_unknown
    failure = describe(SourceRefused("no", field="query", sqlstate="42P01"), Phase.PLAN)
    assert (failure.field, failure.sqlstate, failure.transient) == ("query", "42P01", False)


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), ValueError("?"), KeyboardInterrupt()])
def test_why_a_load_was_ended_hides_no_write_whose_outcome_is_open(error: BaseException) -> None:
    assert to_report(error, SourceStalled("silent"), Phase.PUBLISH) is error


def test_what_an_end_broke_is_told_by_its_cause() -> None:
    cause, broken = SourceStalled("silent"), EngineFailed("stopped")
    assert to_report(broken, cause, Phase.PUBLISH) is cause
    assert to_report(ValueError("?"), cause, Phase.STAGE) is cause
    assert to_report(broken, None, Phase.PUBLISH) is broken


def test_the_message_names_row_and_field_once() -> None:
    row = config()
    failure = named(describe(SourceRefused("It is gone.", field="query"), Phase.PLAN), row)
    assert failure.message == f"{row.label}: query: It is gone."
    assert named(failure, row) == failure
