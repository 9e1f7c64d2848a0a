"""From a planned row to a planned read."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.exceptions import (
    DataloaderError,
    EngineFailed,
    Fenced,
    OutcomeUnknown,
    SchemaRefused,
    SourceRefused,
    ValueRefused,
)
from airflow_dataloader.loader.reading import open_snapshot, read_everything, source_errors
from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind
from airflow_dataloader.sources.model import Dependencies
from tests.unit.loader.active_loads import Answers, active_load


def test_without_a_common_snapshot_a_read_is_not_split() -> None:
    load = active_load(session=Answers(), num_partitions=4)
    load.relation = '"public"."items"'
    plan = read_everything(load)
    assert plan.partitions == ()
    assert load.journal.receipt.partitions == 1
    assert load.journal.phase is Phase.START


def test_a_read_begins_with_what_the_snapshot_s_connections_have() -> None:
    load = active_load(session=Answers())
    load.relation = '"public"."items"'
    load.snapshot = Snapshot(kind=SnapshotKind.NONE, id=None, settings={"DateStyle": "ISO, DMY"})
    assert read_everything(load).endpoint.settings == {"DateStyle": "ISO, DMY"}


class Unshared:
    """A session whose snapshot is its own."""

    def hold(self, relation: str) -> Dependencies:
        """Have nobody to wait for."""
        return Dependencies()

    def open_snapshot(self) -> Snapshot:
        return Snapshot(kind=SnapshotKind.NONE, id=None)

    def query(self, sql: str) -> list[tuple[str | None]]:
        """Have the styles that loads have."""
        return [(None,)]


@pytest.mark.parametrize(("wanted", "said"), [(4, 1), (1, 0), (None, 0)])
def test_parts_that_were_asked_for_and_cannot_be_had_are_told(wanted: int | None, said: int) -> None:
    load = active_load(session=Unshared(), num_partitions=wanted)
    open_snapshot(load)
    assert (load.journal.receipt.snapshot, len(load.journal.receipt.notes)) == ("none", said)


def test_a_refusal_of_the_source_is_told_in_our_words() -> None:
    load = active_load()
    error = SourceRefused(
        'The source said: ERROR: invalid input syntax for type integer: "dataloader refuses column '
        '"born": 0044-03-15 BC (value_policy)"'
    )
    with pytest.raises(ValueRefused, match="born"), source_errors(load, None):
        raise error


def test_an_engine_s_own_error_stays_its_own() -> None:
    with pytest.raises(EngineFailed, match="disk full"), source_errors(active_load(), None):
        raise EngineFailed("disk full")


@pytest.mark.parametrize("kind", [ValueRefused, SchemaRefused])
def test_a_target_s_refusal_that_quotes_a_row_is_not_taken_for_a_word_of_the_source(
    kind: type[DataloaderError],
) -> None:
    error = kind("[DELTA_VIOLATE_CONSTRAINT] line = 'ERROR: canceling statement due to lock timeout'")
    with pytest.raises(kind) as caught, source_errors(active_load(), None):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("kind", [OutcomeUnknown, Fenced])
def test_what_became_of_the_write_is_never_taken_for_a_word_of_the_source(
    kind: type[DataloaderError],
) -> None:
    error = kind("Whether it landed is unknown. FATAL: terminating connection due to administrator command")
    with pytest.raises(kind) as caught, source_errors(active_load(), None):
        raise error
    assert caught.value is error
