"""Whether all that a read was to bring has arrived, held against what the source counts in the snapshot."""

from __future__ import annotations

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.core.wording import listed
from airflow_dataloader.exceptions import EngineFailed, SourceUnavailable
from airflow_dataloader.loader.reader import Reader
from airflow_dataloader.loader.reading import ask_beside, moving_cursor
from airflow_dataloader.loader.sessions.protocol import SnapshotKind


def refuse_moving(reader: Reader, newest_rows: str | None) -> None:
    """Raise ConfigurationError if rows that were just there are not there for the connections that read.

    For reads in several parts, of which none is held against all of ``newest_rows``; see :func:`read_where`.
    """
    if newest_rows is None or not reader.snapshot.shared or is_fixed(reader):
        return
    with reader.journal.during(Phase.PLAN):
        ((found,),) = ask_beside(reader, reader.dialect.probe_sql(reader.relation, newest_rows))
    if not found:
        raise moving_cursor(reader)


def compare_with_source(reader: Reader, arrived: int, plan: ReadPlan) -> None:
    """Raise EngineFailed if other rows arrived than the source counted in the same snapshot.

    ``plan``: what was read, as the source counted it. A query or view that counts other rows over another
    connection is given a remark instead; ConfigurationError is raised where the newest ones are not there,
    and SourceUnavailable where the relation was made of other tables for some of the connections.
    """
    _refuse_other_tables(reader, plan)
    expected = reader.journal.receipt.source_rows
    if expected is None or reader.journal.receipt.snapshot != SnapshotKind.EXPORTED or expected == arrived:
        return
    found = f"The source counts {expected} rows in the window, {arrived} arrived from the same snapshot"
    fixed = is_fixed(reader)
    if not fixed:
        again, *others = _counted_again(reader, plan)
        if others == [0]:
            raise moving_cursor(reader)
        if again != expected:
            # What a query or view selects may depend on more than the snapshot, now() above all.
            reader.journal.remark(f"{found}: the query or view selects by the time, or by chance.")
            return
    look = "look for a proxy or driver that cuts results"
    if plan.partitions and not fixed:
        look = "see whether partition_column depends on the time, which is another one for each connection"
    raise EngineFailed(f"{found}.", fix=f"load again; if it happens again, {look}")


def _refuse_other_tables(reader: Reader, plan: ReadPlan) -> None:
    """Raise SourceUnavailable if the relation has been made of other tables since before the snapshot.

    No lock of a reader keeps others from attaching a partition or child, or from renaming a schema, and no
    snapshot hides it. Parts that begin later have the new partition. Where a name means another table, any
    connection may have read that, without the rows that the snapshot does not show.
    """
    if reader.snapshot.id is None:
        return
    try:
        now = reader.dialect.dependencies(reader.session.query, reader.relation).tables
    except SourceUnavailable as error:
        # All rows have arrived: a source that is lost now does not make them wrong.
        reader.journal.remark(f"Whether the source was made of other tables meanwhile is not known: {error}")
        return
    number_of = {(schema, table): number for schema, table, number in now}
    other = {(schema, table) for schema, table, _ in plan.tables ^ now} if plan.partitions else set()
    # One that is not there any more is hidden by another of its name in an earlier schema, or detached.
    other |= {
        (schema, table)
        for schema, table, number in reader.snapshot.made.tables
        if number_of.get((schema, table)) != number
    }
    if other:
        tables = listed(sorted(".".join(name) for name in other), most=3)
        raise SourceUnavailable(
            f"{tables} became part of what {reader.config.label} reads, or no part of it any more, or is the "
            "name of another table by now, while it was read.",
            fix="nothing: the row is loaded again",
        )


def is_fixed(reader: Reader) -> bool:
    """Return whether what is read is a table, whose rows the snapshot alone decides."""
    fixed = reader.dialect.fixed_sql(reader.config.source, reader.config.query)
    return fixed is not None and bool(reader.session.query(fixed)[0][0])


def _counted_again(reader: Reader, plan: ReadPlan) -> tuple[int, ...]:
    """Have the source count once more in the snapshot."""
    (counts,) = ask_beside(reader, reader.dialect.count_sql(reader.relation, plan.where, plan.newest_rows))
    return tuple(int(rows) for rows in counts)
