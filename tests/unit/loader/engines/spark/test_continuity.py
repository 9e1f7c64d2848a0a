"""What a stretch of a table's history says about its writer's newest commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest
from pyspark.sql import Row

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.loader.engines.protocol import HistoryEntry
from airflow_dataloader.loader.engines.spark.continuity import digest, is_blank, is_continuous

OURS, THEIRS = "adl:a:1", "adl:a:2"


def row(version: int, operation: str = "WRITE", **parameters: str) -> Any:
    return Row(
        version=version,
        operation=operation,
        operationParameters=parameters,
        operationMetrics={"numFiles": "1"},
        userMetadata=f"by number {version}",
    )


def own(version: int, base: int | None, *, app_id: str = OURS, step: int = 1) -> tuple[Any, HistoryEntry]:
    facts = Facts(read_version=None if base is None else (base, digest(row(base))))
    commit = Commit(app_id=app_id, epoch=version, step=step, metadata_id=version, facts=facts)
    return row(version), HistoryEntry(table_version=version, commit=commit)


def other(version: int, operation: str, **parameters: str) -> tuple[Any, None]:
    return row(version, operation, **parameters), None


def asked(
    *entries: tuple[Any, HistoryEntry | None], whole: bool = False, emptied: Collection[int] = ()
) -> bool | None:
    rows: Sequence[Any] = [one for one, _ in entries]
    found = [entry for _, entry in entries]
    return is_continuous(rows, found, OURS, whole=whole, emptied=lambda version: version in emptied)


def test_nobody_has_touched_it_since_the_load_looked_at_it() -> None:
    assert asked(own(7, 6), own(6, 5)) is True
    assert asked(other(8, "OPTIMIZE"), own(7, 5), other(6, "UPDATE"), own(5, 4)) is True


def test_a_commit_that_replaced_everything_needs_no_base() -> None:
    assert asked(own(7, None), other(6, "RESTORE")) is True
    assert asked(own(8, 5), own(7, None), other(6, "RESTORE"), own(5, 4)) is True


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("RESTORE", {}),
        ("TRUNCATE", {}),
        ("DELETE", {"predicate": "[]"}),
        ("CREATE OR REPLACE TABLE AS SELECT", {}),
        ("WRITE", {"mode": "Overwrite"}),
    ],
)
def test_a_replacement_beside_the_load_or_after_it_is_seen(
    operation: str, parameters: dict[str, str]
) -> None:
    assert asked(other(7, operation, **parameters), own(6, 5), own(5, 4)) is False
    assert asked(own(7, 5), other(6, operation, **parameters), own(5, 4)) is False
    scan = own(9, 5, step=2)
    assert asked(scan, other(8, operation, **parameters), own(7, 5), own(6, 5), own(5, 4)) is False


def test_rows_that_a_person_deletes_are_gone_and_beside_a_load_they_must_not_be_all() -> None:
    some = {"predicate": '["(id#1 > 0)"]'}
    assert asked(other(8, "DELETE", **some), own(7, 6), own(6, 5), emptied=[8]) is True
    assert asked(own(8, 7), (row(7), None), other(6, "DELETE", **some), own(5, 4)) is True
    assert asked(own(7, 5), other(6, "DELETE", **some), own(5, 4)) is True
    assert asked(own(7, 5), other(6, "DELETE", **some), own(5, 4), emptied=[6]) is False
    assert asked(own(7, 5), other(6, "MERGE", **some), own(5, 4), emptied=[6]) is False
    assert asked(own(7, 5), other(6, "MERGE", **some), own(5, 4)) is True


def test_another_writer_s_load_ends_it_and_its_fence_does_not() -> None:
    assert asked(own(7, 6, app_id=THEIRS), own(6, 5)) is False
    assert asked(own(8, 6), own(7, 6, app_id=THEIRS), own(6, 5)) is False
    assert asked(own(8, 6), own(7, 6, app_id=THEIRS, step=0), own(6, 5)) is True


def test_a_table_made_anew_is_known_by_its_versions() -> None:
    assert asked(own(2, 5), other(1, "WRITE"), other(0, "CREATE TABLE"), whole=True) is False
    assert asked(own(0, 5), whole=True) is False
    assert asked(own(4, 2), other(3, "WRITE"), other(2, "UPDATE"), other(1, "WRITE")) is False
    assert asked(own(1, -1), other(0, "WRITE", mode="Append"), whole=True) is False


def test_a_stretch_may_be_too_short_to_say_and_a_history_may_be_cleaned_up() -> None:
    assert asked(own(9, 5), other(8, "UPDATE"), other(7, "UPDATE")) is None
    assert asked(own(9, 5), other(8, "UPDATE"), other(7, "UPDATE"), whole=True) is True
    assert asked(other(9, "UPDATE"), other(8, "UPDATE")) is None
    assert asked(other(9, "UPDATE"), other(8, "UPDATE"), whole=True) is False
    assert asked(whole=True) is False


def fence(version: int, *, made: bool = False, step: int = 0) -> tuple[Any, HistoryEntry]:
    commit = Commit(
        app_id=OURS, epoch=version, step=step, metadata_id=version, facts=Facts(table_created=made)
    )
    return row(version), HistoryEntry(table_version=version, commit=commit)


def blank(*entries: tuple[Any, HistoryEntry | None]) -> bool:
    return is_blank([one for one, _ in entries], [entry for _, entry in entries])


def test_what_only_fences_have_touched_is_blank() -> None:
    assert blank(fence(0, made=True))
    assert blank(fence(2), fence(1, made=True), other(0, "CREATE TABLE"))
    assert not blank()
    assert not blank(fence(1), other(0, "CREATE TABLE")), "somebody had made it before"
    assert not blank(fence(1, step=1), fence(0, made=True)), "a load has published"
    assert not blank(other(1, "ADD COLUMNS"), fence(0, made=True)), "somebody has changed it"
