"""Counting what a target lacks, over some of the columns."""

from __future__ import annotations

from tests.unit.loader.engines.spark.test_append_missing import rows, stage


def test_missing_rows_are_counted_over_the_columns_that_are_asked_for() -> None:
    found = rows(stage(at="int", name="string"), {"at": "int", "name": "string"}).missing(("name",))
    assert found.endswith(
        "(SELECT c0, COUNT(1) AS n FROM (SELECT `name` AS c0 FROM (SELECT `at`, `name` FROM `s`)) "
        "GROUP BY c0) s LEFT JOIN "
        "(SELECT c0, COUNT(1) AS n FROM (SELECT `name` AS c0 FROM `t` WHERE TRUE) GROUP BY c0) h "
        "ON s.c0 <=> h.c0",
    )


def test_without_a_column_only_their_numbers_are_compared() -> None:
    found = rows(stage(at="int"), {"at": "int"}).missing(())
    assert "(SELECT COUNT(1) AS n FROM (SELECT 1 FROM `t` WHERE TRUE)) h ON TRUE" in found
