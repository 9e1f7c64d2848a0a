"""How a comparison is told."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.core.comparison import Compared, Difference, PartDifferences, Parts
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.loader.verify.verified import Verified, lines

ID = PlannedColumn(source_name="id", name="id", select="id", wire=Wire.NATIVE, type="int", source_type="int")
BY_RANGE = Compared(columns=(ID,), keys=(ID,), parts=Parts(count=2, column=ID, cuts=("1000",)))


def verified(**overrides: Any) -> Verified:
    values: dict[str, Any] = {"config_id": 7, "label": "config_id 7", "compared": BY_RANGE}
    return Verified(**values | overrides)


def part(number: int, *samples: Difference, **counts: int) -> PartDifferences:
    zeros = {"missing": 0, "extra": 0, "different": 0}
    return PartDifferences(number=number, samples=samples, **zeros | counts)


def test_nothing_is_said_of_what_is_equal() -> None:
    assert (verified().outcome, verified().equal, list(lines(verified()))) == ("equal", True, [])


def test_ranges_and_keys_that_differ_are_named() -> None:
    found = verified(
        parts=(
            part(
                1,
                Difference(key=("1001",), source_rows=1, target_rows=0),
                Difference(key=("1002",), source_rows=1, target_rows=1, columns=("name", "price")),
                Difference(key=("1003",), source_rows=1, target_rows=2),
                missing=1,
                different=2,
            ),
            part(0, Difference(key=("5",), source_rows=0, target_rows=1), extra=1000),
        )
    )
    assert (found.outcome, found.equal) == ("different", False)
    assert list(lines(found)) == [
        "id from 1000 on: 1 missing at the target, 2 different",
        "  id = 1001: missing at the target",
        "  id = 1002: different in name, price",
        "  id = 1003: 1 times at the source, 2 times at the target",
        "id to below 1000: 1,000 only at the target",
        "  id = 5: only at the target",
        "  and 999 more",
    ]


def test_many_ranges_are_counted() -> None:
    sample = Difference(key=("5",), source_rows=0, target_rows=1)
    found = verified(parts=tuple(part(0, sample, extra=3) for _ in range(12)))
    assert list(lines(found))[-1] == "and 6 more in 2 other parts"
    assert len(list(lines(found))) == 31


def test_rows_without_a_key_are_named_by_their_hash() -> None:
    compared = Compared(columns=(ID,), keys=(), parts=Parts(count=1))
    sample = Difference(key=("abc",), source_rows=2, target_rows=1)
    found = verified(compared=compared, parts=(part(0, sample, different=1),))
    assert list(lines(found)) == [
        "all rows: 1 different",
        "  row with sha256 abc: 2 times at the source, 1 times at the target",
    ]


def test_what_could_not_be_compared_says_why() -> None:
    found = verified(reason="No target.", notes=("Mind this.",))
    assert (found.outcome, found.equal, list(lines(found))) == (
        "not comparable",
        False,
        ["No target.", "Mind this."],
    )


def test_a_column_alone_makes_a_difference() -> None:
    found = verified(columns=("Column a is not at the target.",))
    assert (found.outcome, list(lines(found))) == ("different", ["Column a is not at the target."])
