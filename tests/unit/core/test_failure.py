"""What is recorded of a failed load."""

from __future__ import annotations

import json

import pytest

from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.exceptions import (
    ConfigurationError,
    Fenced,
    OutcomeUnknown,
    SourceRefused,
    SourceUnavailable,
)


def test_our_own_errors_carry_their_facts() -> None:
    error = SourceRefused("No table x.", field="source_table_name", fix="name one", sqlstate="42P01")
    assert Failure.of(error, Phase.PLAN).as_json() == {
        "phase": "plan",
        "error": "SourceRefused",
        "message": "No table x.",
        "transient": False,
        "outcome_unknown": False,
        "field": "source_table_name",
        "fix": "name one",
        "sqlstate": "42P01",
    }


@pytest.mark.parametrize(
    ("error", "transient", "outcome_unknown"),
    [
        (SourceUnavailable("gone"), True, False),
        (OutcomeUnknown("sent"), True, True),
        (ConfigurationError("wrong"), False, False),
        (Fenced("late"), False, False),
        (ZeroDivisionError("0"), False, False),
    ],
)
def test_the_class_says_whether_trying_again_helps(
    error: Exception, transient: bool, outcome_unknown: bool
) -> None:
    failure = Failure.of(error, Phase.PUBLISH)
    assert (failure.transient, failure.outcome_unknown) == (transient, outcome_unknown)


def test_a_foreign_error_is_named_by_its_class() -> None:
    assert Failure.of(KeyError("a"), Phase.STAGE).message == "KeyError: 'a'"
    assert Failure.of(KeyboardInterrupt(), Phase.STAGE).error == "KeyboardInterrupt"


def test_the_record_is_plain_json() -> None:
    body = Failure.of(OutcomeUnknown("sent", vendor_code="7"), Phase.PUBLISH).as_json()
    assert json.loads(json.dumps(body)) == body
