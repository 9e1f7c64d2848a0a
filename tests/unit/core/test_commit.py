"""The identity of a write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.commit import (
    FENCE_STEP,
    HIGHEST_GIVEN_EPOCH,
    STEPS_PER_EPOCH,
    Commit,
    app_id,
    parse_user_metadata,
    txn_version,
)
from airflow_dataloader.core.facts import Bounds, Facts

EPOCHS = st.integers(0, 2**42)
STEPS = st.integers(0, STEPS_PER_EPOCH - 1)


def a_commit(**overrides: object) -> Commit:
    values = {
        "app_id": app_id("0" * 32, 7),
        "epoch": 3,
        "step": 1,
        "metadata_id": 11,
        "facts": Facts(chunk=5),
    }
    return Commit(**(values | overrides))  # type: ignore[arg-type]


def test_the_writer_is_the_row_of_an_installation() -> None:
    assert app_id("ab" * 16, 42) == f"adl:{'ab' * 16}:42"
    assert a_commit().config_id == 7


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


@given(EPOCHS, STEPS, st.text())
def test_user_metadata_comes_back(epoch: int, step: int, text: str) -> None:
    commit = a_commit(epoch=epoch, step=step, facts=Facts(window=Bounds(low=text, watermark=text)))
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
        a_commit().user_metadata().replace('"facts":{"chunk":5}', '"facts":5'),
        a_commit().user_metadata().replace('"facts":{"chunk":5}', '"facts":{"read_version":5}'),
    ],
)
def test_what_is_not_ours_is_nobody_s(text: str | None) -> None:
    assert parse_user_metadata(text) is None


def test_the_same_commit_is_always_written_alike() -> None:
    text = a_commit(facts=Facts(spellings={"b": "x", "a": "y"}, strategy="$")).user_metadata()
    assert text == (
        f'{{"adl":1,"app_id":"adl:{"0" * 32}:7","epoch":3,"facts":{{"spellings":{{"a":"y","b":"x"}},'
        '"strategy":"\\u0024"},"load":11,"step":1}'
    )


def test_a_commit_of_another_version_is_read() -> None:
    text = a_commit().user_metadata().replace('"chunk":5', '"chunk":5,"later":{"low":1}')
    assert parse_user_metadata(text) == a_commit()


def test_neither_a_fence_nor_a_scan_for_deleted_rows_brings_rows() -> None:
    assert a_commit().brings_rows
    assert not a_commit(step=FENCE_STEP).brings_rows
    assert not a_commit(facts=Facts(delete_scan=True)).brings_rows


def test_what_its_rows_say_is_not_in_the_table_s_history() -> None:
    assert a_commit(stamp={"_adl_load_id": 11}).user_metadata() == a_commit().user_metadata()


def test_the_versions_of_epochs_have_room_in_64_bits() -> None:
    last = txn_version(2 * HIGHEST_GIVEN_EPOCH - 1, STEPS_PER_EPOCH - 1)
    assert last == 2**63 - 1
