"""The row's ``schema_policy``, applied before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from airflow_dataloader.core.clustering import clustering
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.load_columns import OWN_COLUMNS, mark_for, refuse_collision, stamp_for
from airflow_dataloader.core.names import is_name_of_merge, is_name_of_reads
from airflow_dataloader.core.schema_change import decide, difference, new_key
from airflow_dataloader.core.strategy import NEEDS_CURSOR, NEEDS_KEY, DeletePolicy
from airflow_dataloader.exceptions import ConfigurationError, SchemaRefused
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.reading import take_columns


def decide_schema(load: ActiveLoad) -> None:
    """Decide what becomes of the target's columns; leave out what the policy ignores.

    Raises SchemaRefused or ConfigurationError where the source's columns cannot go into the target.
    """
    config = load.config
    with load.journal.during(Phase.PLAN):
        if load.partitioned_by:
            take_columns(load, load.described)
        refuse_collision(load.columns, config.load_columns_policy, config.delete_policy)
        # What a fence has made has the columns that the source had then, and nobody depends on them.
        held = load.target.columns if load.target and not load.target.blank else None
        replaces = config.always_replaces or load.starts_over
        load.schema = decide(
            load.columns, held, config.schema_policy, replaces=replaces, keeps_older=config.keeps_older_days
        )
        if not replaces:
            _refuse_new_keys(load)
            _refuse_other_keys(load)
        if load.schema.ignored:
            _leave_out(load)
        _refuse_names_of_delta(load)
        _add_load_columns(load)
    if held is not None:
        record_columns(load, held)
    _record_one_sided(load)
    if not replaces:
        _remark_on_added(load)
        _remark_on_come_back(load)


def keep_columns(load: ActiveLoad) -> None:
    """Decide once more where a load goes on with what its target holds, although its strategy replaces it."""
    if load.target is None or load.schema.keeps_columns:
        return
    load.schema = decide(load.columns, load.target.columns, load.config.schema_policy, replaces=False)
    _add_load_columns(load)
    _record_one_sided(load)


def cluster_columns(load: ActiveLoad) -> tuple[str, ...]:
    """Return the target's names of the columns that a new target is clustered by; none if it is not.

    Raises ConfigurationError where Delta cannot cluster by the key, before anything is read.
    """
    if not load.config.cluster_by_key:
        return ()
    find = load.dialect.find_column
    key = [find(load.columns, name, field="primary_key_cols") for name in load.config.primary_key]
    return clustering(key, load.columns, load.config.label)


def _add_load_columns(load: ActiveLoad) -> None:
    planned = {column.name.casefold() for column in load.columns}
    after = load.schema.after
    others = {name: kind for name, kind in after.items() if name.casefold() not in planned}
    filled = stamp_for(
        load.config.load_columns_policy,
        others,
        load_id=load.started.metadata_id,
        loaded_at=load.started.started_at,
    )
    load.stamp = {**filled, **mark_for(load.config.delete_policy, others)}
    held = {name.casefold() for name in after}
    own = {name: OWN_COLUMNS[name] for name in load.stamp if name not in held}
    load.schema = replace(load.schema, after={**after, **own})


def record_columns(load: ActiveLoad, columns: Mapping[str, str]) -> None:
    """Write the target's columns into the receipt, and whether the last load had left others.

    The last load that succeeded counts, so that what one that failed, or died, has changed is not forgotten;
    where it had another target, or this one was not there, all of them are others.
    """
    before = load.journal.receipt.columns
    if before is not None and difference(before, columns):
        load.journal.remark(difference(before, columns))
    known = (load.started.last_receipt or {}).get("columns")
    if load.target is None or load.target.blank or (known and not load.started.last_was_here):
        known = {}
    elif known is None:
        known = load.target.columns
    load.journal.record(columns=dict(columns), columns_changed=dict(known) != dict(columns) or None)


def _refuse_names_of_delta(load: ActiveLoad) -> None:
    """Refuse columns that Delta could not read or merge, before the first load, which does neither yet."""
    config = load.config
    merges = config.strategy in NEEDS_KEY or config.delete_policy is not DeletePolicy.IGNORE
    for column in load.columns:
        if is_name_of_reads(column.name):
            where = "wherever it reads a table"
        elif merges and is_name_of_merge(column.name):
            where = "in a MERGE, by which this row is loaded"
        else:
            continue
        raise SchemaRefused(
            f"Column {column.source_name!r} of {config.label} has a name that Delta gives a column of its "
            f"own {where}.",
            field="query" if config.query is not None else "source_table_name",
            fix="select it under another name with AS in query",
        )


def _refuse_new_keys(load: ActiveLoad) -> None:
    added = {column.source_name.casefold() for column in load.schema.added}
    for name in load.config.primary_key if load.config.strategy in NEEDS_CURSOR else ():
        if name.casefold() in added:
            raise new_key(name)


def _refuse_other_keys(load: ActiveLoad) -> None:
    """Refuse a column of another type at the source whose values the target holds under other texts.

    Of those that rows are told apart by: the key, or all where there is none.
    """
    if load.config.strategy not in NEEDS_CURSOR and load.config.delete_policy is DeletePolicy.IGNORE:
        return
    what = "Key column" if load.config.primary_key else "Column"
    for name, before in load.respelled(load.target).items():
        (column,) = (column for column in load.columns if column.name.casefold() == name)
        anew = "set load_full = 'true' on the row to replace the table once with the source's keys"
        raise SchemaRefused(
            f"{what} {column.name} of {load.config.label} is {column.source_type} at the source, and the "
            f"target holds its values as texts of {load.dialect.describe_spelling(before)}: rows that are "
            "there would come a second time.",
            field="primary_key_cols",
            fix="name the key as it was, change the type back, or "
            # Older days are nowhere but at the target.
            + ("select the key as it was in query" if load.config.keeps_older_days else anew),
        )


def _leave_out(load: ActiveLoad) -> None:
    """Plan the read without the ignored columns."""
    ignored = {column.source_name for column in load.schema.ignored}
    config = load.config
    needed = [*needed_columns(config, replaces=load.starts_over)]
    if config.partition_column is not None:
        needed.append(("partition_column", config.partition_column))
    refuse_ignored(needed, ignored)
    left = [column for column in load.described if column.name not in ignored]
    if not left:
        raise SchemaRefused(
            f"The source of {load.config.label} and its target have no column in common, and schema_policy "
            "is ignore.",
            field="schema_policy",
            fix="see whether source and target belong together; if they do, set schema_policy = 'evolve' and "
            "load_full = 'true' on the row",
        )
    take_columns(load, left)


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


def _record_one_sided(load: ActiveLoad) -> None:
    """Write down which columns only one side has, and say it where the last load had not."""
    last = load.started.last_receipt or {}
    ignored, gone = tuple(column.name for column in load.schema.ignored), load.schema.gone
    load.journal.record(columns_ignored=ignored, columns_gone=gone)
    if set(ignored) - set(last.get("columns_ignored", ())):
        load.journal.remark(f"New at the source, and not loaded (schema_policy): {', '.join(ignored)}.")
    if set(gone) - set(last.get("columns_gone", ())):
        load.journal.remark(f"Gone at the source, and NULL in new rows: {', '.join(gone)}.")


def _remark_on_added(load: ActiveLoad) -> None:
    """Add a remark on what the target's rows have in columns that only come with this load."""
    if load.schema.added:
        names = ", ".join(column.name for column in load.schema.added)
        sentence = f"Rows that no load writes have NULL in {names}."
        if not load.config.keeps_older_days:
            sentence += (
                " If they have values at the source, as after a column with a default, "
                "set load_full = 'true' on the row."
            )
        load.journal.remark(sentence)


def _remark_on_come_back(load: ActiveLoad) -> None:
    """Add a remark on columns that the last load found gone and that are back, as they were or as others."""
    gone = {name.casefold() for name in (load.started.last_receipt or {}).get("columns_gone", ())}
    back = [column.name for column in load.columns if column.name.casefold() in gone]
    if back:
        sentence = (
            f"At the source again: {', '.join(back)}. Rows that no load writes keep what they held before"
        )
        if not load.config.keeps_older_days:
            sentence += "; if it is another column now, set load_full = 'true' on the row"
        load.journal.remark(f"{sentence}.")
