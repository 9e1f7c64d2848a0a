"""The status machine of a row."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.status import LIVE, MOVES, LoadStatus, RowStatus, may_move

Q, P, S, F = RowStatus.QUEUED, RowStatus.IN_PROGRESS, RowStatus.SUCCEEDED, RowStatus.FAILED
ALL = (None, Q, P, S, F)

#: The documents' life cycle, and the moves that this package adds to it.
LEGAL = {(None, Q), (Q, P), (Q, F), (P, S), (P, F), (S, Q), (S, None), (F, Q), (F, None), (F, F)}


@pytest.mark.parametrize("old", ALL)
@pytest.mark.parametrize("new", ALL)
def test_moves(old: RowStatus | None, new: RowStatus | None) -> None:
    assert may_move(old, new) == (old == new or (old, new) in LEGAL)


def test_every_status_has_its_moves() -> None:
    assert set(MOVES) == set(ALL)


def test_success_is_reached_only_from_a_running_load() -> None:
    assert [old for old in ALL if old != S and may_move(old, S)] == [P]


def test_a_live_row_is_never_queued_again_or_reset() -> None:
    assert not any(may_move(old, new) for old in LIVE for new in (Q, None) if old != new)


def test_a_row_knows_no_cancellation_and_a_load_does() -> None:
    assert {str(status) for status in RowStatus} == {"Queued", "In Progress", "Succeeded", "Failed"}
    assert {str(status) for status in LoadStatus} - {str(status) for status in RowStatus} == {"Cancelled"}
