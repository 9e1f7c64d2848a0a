"""From a planned row to a planned read, all of it in one snapshot of the source where it can be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.fetch_size import UNMEASURED, fetch_size
from airflow_dataloader.core.plan import Endpoint, PlannedColumn, ReadPlan
from airflow_dataloader.core.strategy import IGNORES_KEYS
from airflow_dataloader.core.wording import listed
from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    EngineFailed,
    Fenced,
    OutcomeUnknown,
    SchemaRefused,
    SourceRefused,
    SourceUnavailable,
    ValueRefused,
)
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind, SourceSession
from airflow_dataloader.sources.dialect import DescribedColumn, Dialect, ErrorContext, MadeOf


class Reader(Protocol):
    """Whoever reads a row's source: a load, or one that only looks. Fields as in :class:`.job.Job`."""

    relation: str
    snapshot: Snapshot
    described: tuple[DescribedColumn, ...]
    columns: tuple[PlannedColumn, ...]
    replaced: str | None
    engine: Engine
    session: SourceSession
    dialect: Dialect
    endpoint: Endpoint
    journal: Journal

    @property
    def config(self) -> LoadConfig:
        """The row's configuration."""


def plan_columns(job: Reader) -> None:
    """Describe the relation and decide what becomes of each column."""
    take_columns(job, job.session.describe(job.relation))


def take_columns(job: Reader, described: Iterable[DescribedColumn]) -> None:
    """Plan these columns of the relation and no others."""
    job.described = tuple(described)
    config = job.config
    if config.strategy not in IGNORES_KEYS:
        job.dialect.refuse_loose_keys(job.described, config.primary_key)
    plan = job.dialect.plan_columns(
        job.described, config.value_policy, config.ordered_columns, config.primary_key
    )
    job.columns, job.replaced = plan.columns, plan.replaced


def open_snapshot(job: Reader) -> None:
    """Freeze what the load sees of the source, from here to the end of its reads."""
    job.relation = job.dialect.relation(job.config.source, job.config.query)
    made = job.session.hold(job.relation)
    job.snapshot = replace(job.session.open_snapshot(), made=made)
    shared = job.snapshot.id is not None
    elsewhere = shared and job.dialect.is_elsewhere(job.session.query, job.relation)
    if elsewhere:
        job.snapshot = replace(job.snapshot, kind=SnapshotKind.NONE, id=None)
    job.journal.note(snapshot=job.snapshot.kind)
    config = job.config
    splits = (config.num_partitions or 1) > 1 or (elsewhere and config.partition_column is not None)
    if job.snapshot.id is None and splits:
        what = "foreign tables" if elsewhere else "the source"
        job.journal.remark(f"Connections share no snapshot of {what}: one of them read everything.")


def read_everything(job: Reader, columns: tuple[PlannedColumn, ...] | None = None) -> ReadPlan:
    """Plan a read of the whole relation; ``columns`` None: all that are loaded."""
    with job.journal.during(Phase.PLAN):
        return _plan(job, None, columns)


def read_where(
    job: Reader,
    where: str | None,
    columns: tuple[PlannedColumn, ...] | None = None,
    *,
    certain: str | None = None,
) -> ReadPlan:
    """Plan a read of the rows that satisfy ``where``, and have the source count them in the same snapshot.

    ``where`` None: all rows; ``columns`` None: all that are loaded. ``certain``: predicate of rows at the
    window's end that were there before; raises ConfigurationError if they are not any more.
    """
    with job.journal.during(Phase.PLAN):
        ((rows, *others),) = job.session.query(job.dialect.count_sql(job.relation, where, certain))
        if others == [0] and job.snapshot.id is not None:
            raise _moving(job)
        job.journal.note(source_rows=int(rows))
        return replace(_plan(job, where, columns, rows=int(rows)), certain=certain)


def refuse_moving(job: Job, certain: str | None) -> None:
    """Raise ConfigurationError if rows that were just there are not there for the connections that read.

    For reads in several parts, of which none is held against all ``certain`` rows; see :func:`read_where`.
    """
    if certain is None or job.snapshot.id is None or _is_fixed(job):
        return
    with job.journal.during(Phase.PLAN):
        ((found,),) = ask_beside(job, job.dialect.probe_sql(job.relation, certain))
    if not found:
        raise _moving(job)


def _moving(job: Reader) -> ConfigurationError:
    """Return the error for a cursor that is made of the time: its newest row is nowhere the next moment."""
    return ConfigurationError(
        f"Column {job.config.incremental_column!r} of {job.config.label} has other values at every look, as "
        "those of now() or random(), so that no load can say how far it has come.",
        field="incremental_column",
        fix="name a column that is stored with the row, or load the row with load_strategy = 'full'",
    )


def _plan(
    job: Reader, where: str | None, columns: tuple[PlannedColumn, ...] | None, rows: int | None = None
) -> ReadPlan:
    partitions: tuple[str, ...] = ()
    made = MadeOf()
    # Without a common snapshot, reads beside each other would see different states of the source.
    if job.snapshot.id is not None:
        partitions = job.dialect.partitions(
            job.session.query,
            relation=job.relation,
            columns=job.columns,
            described=job.described,
            config=job.config,
            parallelism=job.engine.parallelism,
            where=where,
            rows=rows,
        )
        if partitions:
            # Not as it was before the snapshot: a plan leaves partitions out by the time of its transaction.
            made = job.dialect.made_of(job.session.query, job.relation)
        if made.by_chance:
            partitions = ()
            job.journal.remark(
                "Rows are numbered, sampled, or the first of others, in which connections differ: one of "
                "them read everything."
            )
    job.journal.note(partitions=max(1, len(partitions)))
    return ReadPlan(
        endpoint=replace(job.endpoint, settings=job.snapshot.settings),
        columns=job.columns if columns is None else columns,
        relation=job.relation,
        where=where,
        partitions=partitions,
        tables=made.tables if partitions else frozenset(),
        session_init=_session_init(job),
        replaced=job.replaced if columns is None else None,
        fetch_size=_fetch_size(job, where, job.columns if columns is None else columns, rows),
    )


def _session_init(job: Reader) -> str:
    """Return what connections run first that see what the session sees."""
    return job.dialect.session_init(
        job.snapshot.id,
        own=job.snapshot.settings,
        statement_seconds=job.config.max_runtime_minutes * 60,
    )


def _fetch_size(job: Reader, where: str | None, columns: tuple[PlannedColumn, ...], rows: int | None) -> int:
    if rows is not None and rows <= UNMEASURED:
        return UNMEASURED
    names = {column.source_name for column in columns}
    described = [column for column in job.described if column.name in names]
    width = job.dialect.row_width(
        job.session.query, relation=job.relation, described=described, config=job.config, where=where
    )
    return fetch_size(width)


def compare_with_source(job: Job, arrived: int, plan: ReadPlan) -> None:
    """Raise EngineFailed if other rows arrived than the source counted in the same snapshot.

    ``plan``: what was read, as the source counted it. A query or view that counts other rows over another
    connection is given a remark instead; ConfigurationError is raised where the certain ones are not there,
    and SourceUnavailable where the relation was made of other tables for some of the connections.
    """
    _refuse_other_tables(job, plan)
    expected = job.journal.receipt.source_rows
    if expected is None or job.journal.receipt.snapshot != SnapshotKind.EXPORTED or expected == arrived:
        return
    found = f"The source counts {expected} rows in the window, {arrived} arrived from the same snapshot"
    if not _is_fixed(job):
        again, *others = _counted_again(job, plan)
        if others == [0]:
            raise _moving(job)
        if again != expected:
            # What a query or view selects may depend on more than the snapshot, now() above all.
            job.journal.remark(f"{found}: the query or view selects by the time, or by chance.")
            return
    raise EngineFailed(
        f"{found}.", fix="load again; if it happens again, look for a proxy or driver that cuts results"
    )


def _refuse_other_tables(job: Job, plan: ReadPlan) -> None:
    """Raise SourceUnavailable if the relation has been made of other tables since before the snapshot.

    No lock of a reader keeps others from attaching a partition or child, or from renaming a schema, and no
    snapshot hides it. Parts that begin later have the new partition. Where a name means another table, any
    connection may have read that, without the rows that the snapshot does not show.
    """
    if job.snapshot.id is None:
        return
    try:
        now = job.dialect.made_of(job.session.query, job.relation).tables
    except SourceUnavailable as error:
        # All rows have arrived: a source that is lost now does not make them wrong.
        job.journal.remark(f"Whether the source was made of other tables meanwhile is not known: {error}")
        return
    number_of = {(schema, table): number for schema, table, number in now}
    other = {(schema, table) for schema, table, _ in plan.tables ^ now} if plan.partitions else set()
    other |= {
        (schema, table)
        for schema, table, number in job.snapshot.made.tables
        if number_of.get((schema, table), number) != number
    }
    if other:
        tables = listed(sorted(".".join(name) for name in other), most=3)
        raise SourceUnavailable(
            f"{tables} became part of what {job.config.label} reads, or no part of it any more, or is the "
            "name of another table by now, while it was read.",
            fix="nothing: the row is loaded again",
        )


def _is_fixed(job: Job) -> bool:
    """Return whether what is read is a table, whose rows the snapshot alone decides."""
    fixed = job.dialect.fixed_sql(job.config.source, job.config.query)
    return fixed is not None and bool(job.session.query(fixed)[0][0])


def _counted_again(job: Job, plan: ReadPlan) -> tuple[int, ...]:
    """Have the source count once more in the snapshot."""
    (counts,) = ask_beside(job, job.dialect.count_sql(job.relation, plan.where, plan.certain))
    return tuple(int(rows) for rows in counts)


def ask_beside(job: Job, sql: str) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a question in the snapshot, asked over another connection, at the time of that.

    In the session itself now() stands still, and a question that fails ends the snapshot.
    """
    return job.session.query_beside(_session_init(job), sql)


@contextmanager
def explained(job: Reader, where: str | None) -> Iterator[None]:
    """Turn what the engine reports of a broken read into what the source meant by it.

    An engine passes a driver's text on; the dialect knows the source's own errors in it, and can look for
    the value that could not be kept, so that the message names its column.
    """
    try:
        yield
    except (Fenced, OutcomeUnknown, SchemaRefused, ValueRefused):
        # They speak of the target, and the next load acts on them, or they quote a row: no text in them makes
        # another of them.
        raise
    except DataloaderError as error:
        from_query = job.config.query is not None
        context = ErrorContext(endpoint=job.endpoint, from_query=from_query, relation=job.relation)
        known = job.dialect.recognise(error.message, context)
        if known is None and isinstance(error, SourceRefused):
            known = job.dialect.diagnose(job.session.query, job.described, job.relation, where)
        if known is None:
            raise
        raise known from error
