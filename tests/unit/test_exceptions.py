from __future__ import annotations

import inspect
import re

import pytest

from airflow_dataloader import exceptions
from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    EngineFailed,
    Fenced,
    LeaseLost,
    NotMigrated,
    OutcomeUnknown,
    TerminalError,
    TransientError,
)


def test_the_text_is_message_and_fix() -> None:
    error = ConfigurationError("load_cron is empty.", field="load_cron", fix="give it a cron")
    assert str(error) == "load_cron is empty. Fix: give it a cron."
    assert error.field == "load_cron"
    assert str(TransientError("It broke off.")) == "It broke off."


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (NotMigrated, ConfigurationError),
        (ConfigurationError, TerminalError),
        (OutcomeUnknown, EngineFailed),
        (EngineFailed, TransientError),
        (LeaseLost, Fenced),
    ],
)
def test_a_special_case_is_caught_as_the_general_one(
    kind: type[DataloaderError], parent: type[DataloaderError]
) -> None:
    assert issubclass(kind, parent)


def test_an_error_is_transient_or_terminal_or_fenced_and_never_two_of_them() -> None:
    for kind in classes():
        families = [family for family in (TransientError, TerminalError, Fenced) if issubclass(kind, family)]
        assert len(families) == 1, kind.__name__


def test_the_tree_at_the_top_of_the_file_shows_every_class() -> None:
    drawn = re.findall(r"^ {4,}(\w+)", exceptions.__doc__ or "", re.MULTILINE)
    assert {kind.__name__ for kind in classes()} <= set(drawn)


def classes() -> list[type[DataloaderError]]:
    return [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, DataloaderError) and kind is not DataloaderError
    ]
