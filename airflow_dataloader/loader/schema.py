"""The row's ``schema_policy``, applied before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from airflow_dataloader.core.clustering import clustering
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.load_columns import OWN_COLUMNS, mark_for, refuse_collision, stamp_for
from airflow_dataloader.core.names import is_name_of_merge
from airflow_dataloader.core.schema_change import decide, difference, new_key
from airflow_dataloader.core.strategy import NEEDS_CURSOR, NEEDS_KEY, DeletePolicy
from airflow_dataloader.exceptions import ConfigurationError, SchemaRefused
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.reading import take_columns


def decide_schema(job: Job) -> None:
    """Decide what becomes of the target's columns; leave out what the policy ignores.

    Raises SchemaRefused or ConfigurationError where the source's columns cannot go into the target.
    """
    config = job.config
    with job.journal.during(Phase.PLAN):
        refuse_collision(job.columns, config.load_columns_policy, config.delete_policy)
        # What a fence has made has the columns that the source had then, and nobody depends on them.
        held = job.target.columns if job.target and not job.target.blank else None
        replaces = config.replaces_table or job.target is None or not job.target.filled
        job.schema = decide(
            job.columns, held, config.schema_policy, replaces=replaces, keeps_older=config.keeps_older_days
        )
        if not replaces:
            _refuse_new_keys(job)
            _refuse_other_keys(job)
        if job.schema.ignored:
            _leave_out(job)
        _refuse_names_of_merge(job)
        _add_load_columns(job)
    if held is not None:
        note_columns(job, held)
    _note_one_sided(job)
    if not replaces:
        _note_added(job)
        _note_come_back(job)


def keep_columns(job: Job) -> None:
    """Decide once more where a load goes on with what its target holds, although its strategy replaces it."""
    if job.target is None or job.schema.keeps_columns:
        return
    job.schema = decide(job.columns, job.target.columns, job.config.schema_policy, replaces=False)
    _add_load_columns(job)
    _note_one_sided(job)


def cluster_columns(job: Job) -> tuple[str, ...]:
    """Return the target's names of the columns that a new target is clustered by; none if it is not.

    Raises ConfigurationError where Delta cannot cluster by the key, before anything is read.
    """
    if not job.config.cluster_by_key:
        return ()
    find = job.dialect.find_column
    key = [find(job.columns, name, field="primary_key_cols") for name in job.config.primary_key]
    return clustering(key, job.columns, job.config.label)


def _add_load_columns(job: Job) -> None:
    planned = {column.name.casefold() for column in job.columns}
    after = job.schema.after
    others = {name: kind for name, kind in after.items() if name.casefold() not in planned}
    filled = stamp_for(
        job.config.load_columns_policy,
        others,
        load_id=job.started.metadata_id,
        loaded_at=job.started.started_at,
    )
    job.stamp = {**filled, **mark_for(job.config.delete_policy, others)}
    held = {name.casefold() for name in after}
    own = {name: OWN_COLUMNS[name] for name in job.stamp if name not in held}
    job.schema = replace(job.schema, after={**after, **own})


def note_columns(job: Job, columns: Mapping[str, str]) -> None:
    """Write the target's columns into the receipt, and whether the last load had left others.

    The last load that succeeded counts, so that what one that failed, or died, has changed is not forgotten;
    where it had another target, or this one was not there, all of them are others.
    """
    before = job.journal.receipt.columns
    if before is not None and difference(before, columns):
        job.journal.remark(difference(before, columns))
    known = (job.started.last_receipt or {}).get("columns")
    if job.target is None or job.target.blank or (known and not job.started.last_was_here):
        known = {}
    elif known is None:
        known = job.target.columns
    job.journal.note(columns=dict(columns), columns_changed=dict(known) != dict(columns) or None)


def _refuse_names_of_merge(job: Job) -> None:
    """Refuse columns that Delta could not merge, before the first load, which merges nothing yet."""
    config = job.config
    if config.strategy not in NEEDS_KEY and config.delete_policy is DeletePolicy.IGNORE:
        return
    for column in job.columns:
        if is_name_of_merge(column.name):
            raise SchemaRefused(
                f"Column {column.source_name!r} of {config.label} has a name that Delta gives a column of "
                "its own in a MERGE, by which this row is loaded.",
                field="query" if config.query is not None else "source_table_name",
                fix="select it under another name with AS in query",
            )


def _refuse_new_keys(job: Job) -> None:
    added = {column.source_name.casefold() for column in job.schema.added}
    for name in job.config.primary_key if job.config.strategy in NEEDS_CURSOR else ():
        if name.casefold() in added:
            raise new_key(name)


def _refuse_other_keys(job: Job) -> None:
    """Refuse a column of another type at the source whose values the target holds under other texts.

    Of those that rows are told apart by: the key, or all where there is none.
    """
    if job.config.strategy not in NEEDS_CURSOR and job.config.delete_policy is DeletePolicy.IGNORE:
        return
    what = "Key column" if job.config.primary_key else "Column"
    for name, before in job.respelled(job.target).items():
        (column,) = (column for column in job.columns if column.name.casefold() == name)
        anew = "set load_full = 'true' on the row to replace the table once with the source's keys"
        raise SchemaRefused(
            f"{what} {column.name} of {job.config.label} is {column.source_type} at the source, and the "
            f"target holds its values as texts of {job.dialect.spelled(before)}: rows that are there would "
            "come a second time.",
            field="primary_key_cols",
            fix="name the key as it was, change the type back, or "
            # Older days are nowhere but at the target.
            + ("select the key as it was in query" if job.config.keeps_older_days else anew),
        )


def _leave_out(job: Job) -> None:
    """Plan the read without the ignored columns."""
    ignored = {column.source_name for column in job.schema.ignored}
    config = job.config
    needed = [*needed_columns(config, replaces=job.replaces_table)]
    if config.partition_column is not None:
        needed.append(("partition_column", config.partition_column))
    refuse_ignored(needed, ignored)
    left = [column for column in job.described if column.name not in ignored]
    if not left:
        raise SchemaRefused(
            f"The source of {job.config.label} and its target have no column in common, and schema_policy is "
            "ignore.",
            field="schema_policy",
            fix="see whether source and target belong together; if they do, set schema_policy = 'evolve' and "
            "load_full = 'true' on the row",
        )
    take_columns(job, left)


def refuse_ignored(needed: Iterable[tuple[str, str]], ignored: Iterable[str]) -> None:
    """Raise ConfigurationError for a needed column, after the field that names it, which is left out."""
    folded = {name.casefold() for name in ignored}
    for field, name in needed:
        if name.casefold() in folded:
            raise ConfigurationError(
                f"{field} names column {name!r}, which the target lacks, and schema_policy is ignore.",
                field=field,
                fix="set schema_policy = 'evolve', load, and set it back, or name another column",
            )


def needed_columns(config: LoadConfig, *, replaces: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the columns that tell which rows are which, and the field that names each.

    ``replaces``: of a load that replaces the table, which looks for no deleted rows.
    """
    scans = config.delete_policy is not DeletePolicy.IGNORE and not replaces
    if config.strategy in NEEDS_CURSOR or scans:
        yield from (("primary_key_cols", name) for name in config.primary_key)
    if config.strategy in NEEDS_CURSOR:
        yield "incremental_column", config.incremental_column or ""
    if config.days_column is not None:
        yield "rolling_column", config.days_column


def _note_one_sided(job: Job) -> None:
    """Write down which columns only one side has, and say it where the last load had not."""
    last = job.started.last_receipt or {}
    ignored, gone = tuple(column.name for column in job.schema.ignored), job.schema.gone
    job.journal.note(columns_ignored=ignored, columns_gone=gone)
    if set(ignored) - set(last.get("columns_ignored", ())):
        job.journal.remark(f"New at the source, and not loaded (schema_policy): {', '.join(ignored)}.")
    if set(gone) - set(last.get("columns_gone", ())):
        job.journal.remark(f"Gone at the source, and NULL in new rows: {', '.join(gone)}.")


def _note_added(job: Job) -> None:
    """Say what the target's rows have in columns that only come with this load."""
    if job.schema.added:
        names = ", ".join(column.name for column in job.schema.added)
        anew = " If they have values at the source, as after a column with a default, set load_full = 'true' "
        anew = "" if job.config.keeps_older_days else f"{anew}on the row."
        job.journal.remark(f"Rows that no load writes have NULL in {names}.{anew}")


def _note_come_back(job: Job) -> None:
    """Say which columns that the last load found gone are at the source again: as they were, or others."""
    gone = {name.casefold() for name in (job.started.last_receipt or {}).get("columns_gone", ())}
    back = [column.name for column in job.columns if column.name.casefold() in gone]
    if back:
        anew = "; if it is another column now, set load_full = 'true' on the row"
        job.journal.remark(
            f"At the source again: {', '.join(back)}. Rows that no load writes keep what they held before"
            f"{'' if job.config.keeps_older_days else anew}."
        )
