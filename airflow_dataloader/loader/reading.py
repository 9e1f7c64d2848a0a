"""From a planned row to a planned read, all of it in one snapshot of the source where it can be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.fetch_size import UNMEASURED, fetch_size
from airflow_dataloader.core.plan import PlannedColumn, ReadPlan
from airflow_dataloader.core.strategy import IGNORES_KEYS
from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    Fenced,
    OutcomeUnknown,
    SchemaRefused,
    SourceRefused,
    ValueRefused,
)
from airflow_dataloader.loader.reader import Reader
from airflow_dataloader.loader.sessions.protocol import SnapshotKind
from airflow_dataloader.sources.model import Dependencies, DescribedColumn, ErrorContext


def plan_columns(reader: Reader) -> None:
    """Describe the relation and decide what becomes of each column."""
    take_columns(reader, reader.session.describe(reader.relation))


def take_columns(reader: Reader, described: Iterable[DescribedColumn]) -> None:
    """Plan these columns of the relation and no others."""
    reader.described = tuple(described)
    config = reader.config
    if config.strategy not in IGNORES_KEYS:
        reader.dialect.refuse_ambiguous_keys(reader.described, config.primary_key)
    plan = reader.dialect.plan_columns(
        reader.described,
        config.value_policy,
        config.ordered_columns,
        config.primary_key,
        reader.partitioned_by,
    )
    reader.columns, reader.replaced = plan.columns, plan.replaced


def open_snapshot(reader: Reader) -> None:
    """Freeze what the load sees of the source, from here to the end of its reads."""
    reader.relation = reader.dialect.relation(reader.config.source, reader.config.query)
    made = reader.session.hold(reader.relation)
    snapshot = replace(reader.session.open_snapshot(), made=made)
    elsewhere = snapshot.shared and reader.dialect.reads_beyond_snapshot(
        reader.session.query, reader.relation
    )
    # What it does reach is read in it all the same, and by no connection to another server.
    reader.snapshot = replace(snapshot, kind=SnapshotKind.NONE) if elsewhere else snapshot
    reader.journal.record(snapshot=reader.snapshot.kind)
    config = reader.config
    unlike = reader.dialect.differing_text_settings(reader.session.query, config.source, config.query)
    if unlike is not None:
        reader.journal.remark(
            f"The source has {unlike}, and loads have not: texts that its views and queries make of dates or "
            "floats may be others than there."
        )
    splits = (config.num_partitions or 1) > 1 or (elsewhere and config.partition_column is not None)
    if not reader.snapshot.shared and splits:
        what = "foreign tables" if elsewhere else "the source"
        reader.journal.remark(f"Connections share no snapshot of {what}: one of them read everything.")


def read_everything(reader: Reader, columns: tuple[PlannedColumn, ...] | None = None) -> ReadPlan:
    """Plan a read of the whole relation; ``columns`` None: all that are loaded."""
    with reader.journal.during(Phase.PLAN):
        return _plan(reader, None, columns)


def read_where(
    reader: Reader,
    where: str | None,
    columns: tuple[PlannedColumn, ...] | None = None,
    *,
    newest_rows: str | None = None,
) -> ReadPlan:
    """Plan a read of the rows that satisfy ``where``, and have the source count them in the same snapshot.

    ``where`` None: all rows; ``columns`` None: all that are loaded. ``newest_rows``: predicate of the
    rows that hold the window's newest cursor; raises ConfigurationError if none is there any more.
    """
    with reader.journal.during(Phase.PLAN):
        count = reader.dialect.count_sql(reader.relation, where, newest_rows)
        ((rows, *others),) = reader.session.query(count)
        if others == [0] and reader.snapshot.shared:
            raise moving_cursor(reader)
        reader.journal.record(source_rows=int(rows))
        return replace(_plan(reader, where, columns, rows=int(rows)), newest_rows=newest_rows)


def moving_cursor(reader: Reader) -> ConfigurationError:
    """Return the error for a cursor that is made of the time: its newest row is nowhere the next moment."""
    return ConfigurationError(
        f"Column {reader.config.incremental_column!r} of {reader.config.label} has other values at every "
        "look, as those of now() or random(), so that no load can say how far it has come.",
        field="incremental_column",
        fix="name a column that is stored with the row, or load the row with load_strategy = 'full'",
    )


def _plan(
    reader: Reader, where: str | None, columns: tuple[PlannedColumn, ...] | None, rows: int | None = None
) -> ReadPlan:
    partitions: tuple[str, ...] = ()
    made = Dependencies()
    # Without a common snapshot, reads beside each other would see different states of the source.
    if reader.snapshot.shared:
        partitions = reader.dialect.partitions(
            reader.session.query,
            relation=reader.relation,
            columns=reader.columns,
            described=reader.described,
            config=reader.config,
            parallelism=reader.engine.parallelism,
            where=where,
            rows=rows,
        )
        if partitions:
            # Not as it was before the snapshot: a plan leaves partitions out by the time of its transaction.
            made = reader.dialect.dependencies(reader.session.query, reader.relation)
        if made.nondeterministic:
            partitions = ()
            reader.journal.remark(
                "Rows are numbered, sampled, or the first of others, in which connections differ: one of "
                "them read everything."
            )
    reader.journal.record(partitions=max(1, len(partitions)))
    return ReadPlan(
        endpoint=replace(reader.endpoint, settings=reader.snapshot.settings),
        columns=reader.columns if columns is None else columns,
        relation=reader.relation,
        where=where,
        partitions=partitions,
        tables=made.tables if partitions else frozenset(),
        session_init=_session_init(reader),
        replaced=reader.replaced if columns is None else None,
        fetch_size=_fetch_size(reader, where, reader.columns if columns is None else columns, rows),
    )


def _session_init(reader: Reader) -> str:
    """Return what connections run first that see what the session sees."""
    return reader.dialect.session_init(
        reader.snapshot.id,
        own=reader.snapshot.settings,
        remote=reader.snapshot.made.remote,
        statement_seconds=reader.config.max_runtime_minutes * 60,
    )


def _fetch_size(
    reader: Reader, where: str | None, columns: tuple[PlannedColumn, ...], rows: int | None
) -> int:
    if rows is not None and rows <= UNMEASURED:
        return UNMEASURED
    names = {column.source_name for column in columns}
    described = [column for column in reader.described if column.name in names]
    width = reader.dialect.row_width(
        reader.session.query, relation=reader.relation, described=described, config=reader.config, where=where
    )
    return fetch_size(width)


def ask_beside(reader: Reader, sql: str) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a question in the snapshot, asked over another connection, at the time of that.

    In the session itself now() stands still, and a question that fails ends the snapshot.
    """
    return reader.session.query_beside(_session_init(reader), sql)


@contextmanager
def source_errors(reader: Reader, where: str | None) -> Iterator[None]:
    """Turn what the engine reports of a broken read into what the source meant by it.

    An engine passes a driver's text on; the dialect knows the source's own errors in it, and can look for
    the value that could not be kept, so that the message names its column.
    """
    try:
        yield
    except (Fenced, OutcomeUnknown, SchemaRefused, ValueRefused):
        # They speak of the target, and the next load acts on them, or they quote a row: they stay what they
        # are, even where their text looks like one of the source's errors.
        raise
    except DataloaderError as error:
        from_query = reader.config.query is not None
        context = ErrorContext(endpoint=reader.endpoint, from_query=from_query, relation=reader.relation)
        known = reader.dialect.recognise(error.message, context)
        if known is None and isinstance(error, SourceRefused):
            known = reader.dialect.diagnose(reader.session.query, reader.described, reader.relation, where)
        if known is None:
            raise
        raise known from error
