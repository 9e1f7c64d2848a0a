"""Codes and words of PostgreSQL's errors."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import SourceRefused, SourceUnavailable
from airflow_dataloader.sources.postgresql.meanings import code_of, meaning_of


def test_a_code_wins_over_words_unless_it_is_vague() -> None:
    assert code_of("42P01", "permission denied for table t") == "42P01"
    assert code_of("0A000", 'cross-database references are not implemented: "a.b.c"') == "CATALOG"
    assert code_of(None, "permission denied for table t") == "42501"
    assert code_of(None, "no such words") is None


@pytest.mark.parametrize(
    "words",
    [
        "FATAL: terminating connection due to conflict with recovery",
        "ERROR: canceling statement due to conflict with recovery",
        "ERROR: deadlock detected",
        "ERROR: out of shared memory",
        'ERROR: could not resize shared memory segment "/PostgreSQL.1" to 8388608 bytes',
        'ERROR: could not write to file "base/pgsql_tmp/pgsql_tmp1.0": No space left on device',
        "FATAL: query_wait_timeout",
    ],
)
def test_what_passes_is_known_by_its_words_too(words: str) -> None:
    assert meaning_of(code_of(None, words)).kind is SourceUnavailable


@pytest.mark.parametrize("code", ["08003", "40P01", "53200", "57P02", "58030", "XX000"])
def test_a_class_of_codes_has_one_meaning(code: str) -> None:
    assert meaning_of(code).kind is SourceUnavailable


@pytest.mark.parametrize("code", [None, "22012", "P0001", "42883", "25P01"])
def test_what_is_not_known_to_pass_is_not_tried_again(code: str | None) -> None:
    assert meaning_of(code).kind is SourceRefused
