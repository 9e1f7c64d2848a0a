"""Rows one after another, and what is said of those that cannot be compared, or move meanwhile."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.verify import rows
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified
from tests.bench import Bench
from tests.sessions import sessions
from tests.waiting import eventually


@pytest.fixture
def loaded(bench: Bench) -> int:
    """A row whose table was just loaded."""
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id, numeric '1' AS price")
    config_id = bench.row(primary_key_cols="id")
    bench.succeed(config_id)
    return config_id


def test_the_trouble_of_one_row_never_stops_the_next(bench: Bench, loaded: int) -> None:
    absent, wrong = (
        bench.row("items", destination_table_name="absent"),
        bench.row("x", load_strategy="sideways"),
    )
    gone = bench.row("gone", destination_table_name="gone")
    begun: list[str] = []
    told: list[Verified] = []
    verified = verify_rows(
        bench.context, [absent, wrong, gone, loaded], begin=begun.append, report=told.append
    )
    assert told == verified
    assert [one.label for one in verified] == begun
    assert [one.outcome for one in verified] == ["not comparable"] * 3 + ["equal"]
    reasons = [one.reason or "" for one in verified]
    assert "does not exist. Fix: load the row first." in reasons[0]
    assert "load_strategy" in reasons[1]
    assert "gone" in reasons[2]


def test_an_id_that_no_row_has_is_refused_before_anything_is_compared(bench: Bench, loaded: int) -> None:
    with pytest.raises(ConfigurationError, match=r"No row has config_id 999\."):
        verify_rows(bench.context, [loaded, 999], report=lambda _: pytest.fail("it began"))


def test_a_live_load_is_told_and_hindered_in_nothing(bench: Bench, loaded: int) -> None:
    ids = bench.claim(loaded)
    (verified,) = verify_rows(bench.context, [loaded])
    assert verified.equal
    assert verified.notes == ("A load of the row is under way: a later comparison may find something else.",)
    assert bench.history(loaded)[-1].id == ids.metadata_id
    assert bench.history(loaded)[-1].load_status == "Queued"


def test_a_load_that_comes_in_between_is_told(
    bench: Bench, loaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = rows.compare

    def slowly(*arguments: object) -> Verified:
        bench.succeed(loaded)
        return compare(*arguments)

    monkeypatch.setattr(rows, "compare", slowly)
    (verified,) = verify_rows(bench.context, [loaded])
    assert verified.notes == (
        "A load of the row began during the comparison, which may have seen half of it.",
    )


def test_each_row_is_taken_as_it_is_when_its_turn_comes(
    bench: Bench, loaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = bench.row("items", destination_table_name="second")
    bench.succeed(second)
    compare = rows.compare

    def slowly(*arguments: object) -> Verified:
        if bench.state(second).load_epoch == 1:
            bench.succeed(second)
        return compare(*arguments)

    monkeypatch.setattr(rows, "compare", slowly)
    assert [one.notes for one in verify_rows(bench.context, [loaded, second])] == [(), ()]


def test_a_value_that_cannot_be_kept_is_said_as_a_load_says_it(bench: Bench, loaded: int) -> None:
    bench.source.execute("INSERT INTO items VALUES (2, 'NaN')")
    (verified,) = verify_rows(bench.context, [loaded])
    assert (verified.reason or "").startswith("Column 'price' holds NaN, which the target cannot keep")
    eventually("the end of its sessions", lambda: sessions(bench.source, "adl-verify-%") == 0)
