"""The identity of a write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.commit import (
    HIGHEST_GIVEN_EPOCH,
    STEPS_PER_EPOCH,
    Commit,
    app_id,
    parse_user_metadata,
    txn_version,
)

EPOCHS = st.integers(0, 2**42)
STEPS = st.integers(0, STEPS_PER_EPOCH - 1)


def a_commit(**overrides: object) -> Commit:
    values = {"app_id": app_id("0" * 32, 7), "epoch": 3, "step": 1, "metadata_id": 11, "facts": {"low": "5"}}
    return Commit(**(values | overrides))  # type: ignore[arg-type]


def test_the_writer_is_the_row_of_an_installation() -> None:
    assert app_id("ab" * 16, 42) == f"adl:{'ab' * 16}:42"


@given(EPOCHS, STEPS, EPOCHS, STEPS)
def test_versions_order_as_epoch_then_step(epoch: int, step: int, later: int, other: int) -> None:
    assert (txn_version(epoch, step) < txn_version(later, other)) == ((epoch, step) < (later, other))


@given(EPOCHS)
def test_versions_fit_a_signed_long(epoch: int) -> None:
    assert txn_version(epoch, STEPS_PER_EPOCH - 1) < 2**63


@pytest.mark.parametrize("step", [-1, STEPS_PER_EPOCH])
def test_a_step_beyond_its_epoch_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match=str(step)):
        txn_version(1, step)


@given(EPOCHS, STEPS, st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.booleans()))
def test_user_metadata_comes_back(epoch: int, step: int, facts: dict[str, object]) -> None:
    commit = a_commit(epoch=epoch, step=step, facts=facts)
    assert parse_user_metadata(commit.user_metadata()) == commit


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "a person's note",
        '{"adl": 1}',
        '"adl"',
        '["adl"]',
        '{"adl": 1',
        a_commit().user_metadata().replace('"adl":1', '"adl":2'),
        a_commit().user_metadata().replace('"epoch":3', '"epoch":"x"'),
        a_commit().user_metadata().replace('"facts":{"low":"5"}', '"facts":5'),
    ],
)
def test_what_is_not_ours_is_nobody_s(text: str | None) -> None:
    assert parse_user_metadata(text) is None


def test_the_same_commit_is_always_written_alike() -> None:
    text = a_commit(facts={"b": 1, "a": 2}).user_metadata()
    assert text == a_commit(facts={"a": 2, "b": 1}).user_metadata()
    assert json.loads(text)["adl"] == 1


def test_what_its_rows_say_is_not_in_the_table_s_history() -> None:
    assert a_commit(stamp={"_adl_load_id": 11}).user_metadata() == a_commit().user_metadata()


def test_the_versions_of_epochs_have_room_in_64_bits() -> None:
    last = txn_version(2 * HIGHEST_GIVEN_EPOCH - 1, STEPS_PER_EPOCH - 1)
    assert last == 2**63 - 1
