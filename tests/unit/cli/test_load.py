"""What ``dataloader load`` makes of how its loads ended."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.load import code_of, outcome
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.local import Loaded


def ended(status: LoadStatus | None, **how: Any) -> Loaded:
    return Loaded(config_id=1, label="a row", status=status, message="", receipt=Receipt(), **how)


SUCCEEDED = ended(LoadStatus.SUCCEEDED, metadata_id=1)
NOT_CLAIMED = ended(None)


@pytest.mark.parametrize(
    ("load", "word", "code"),
    [
        (SUCCEEDED, "Succeeded", ExitCode.DONE),
        (NOT_CLAIMED, "not claimed", ExitCode.CONFLICT),
        (ended(LoadStatus.FAILED, metadata_id=1), "Failed", ExitCode.FAILED),
        (ended(None, metadata_id=1), "not settled here", ExitCode.FAILED),
        (ended(None, refused=True), "refused", ExitCode.FAILED),
    ],
)
def test_an_end_has_a_word_and_a_code(load: Loaded, word: str, code: ExitCode) -> None:
    assert (outcome(load), code_of([load]), code_of([SUCCEEDED, load])) == (word, code, code)


def test_nothing_but_what_others_have_is_a_conflict() -> None:
    assert code_of([NOT_CLAIMED, SUCCEEDED]) is ExitCode.CONFLICT
    assert code_of([NOT_CLAIMED, ended(LoadStatus.CANCELLED, metadata_id=1)]) is ExitCode.FAILED
