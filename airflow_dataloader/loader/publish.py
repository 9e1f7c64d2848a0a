"""One write to the target: announced, checked, counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.engines.protocol import Deduplication, Rows, Stage, Written
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.schema import record_columns

#: The one publishing write of strategies that need no more than one; step 0 is the fence.
PUBLISH_STEP = 1

#: What to do where other rows were published than were read.
LOAD_AGAIN = (
    "load again; if it happens again, run `dataloader verify` for the row and look at the engine's log"
)

#: What a load reads of a target that is not there.
_NOTHING = (-1, "")


def publish(
    load: ActiveLoad, facts: Facts, write: Callable[[Commit], Written], *, step: int = PUBLISH_STEP
) -> Written:
    """Call ``write`` with the load's publishing commit and put what it did into the receipt.

    ``facts`` travel with the commit, so that a later load can settle this one if it dies right after.
    """
    with load.journal.during(Phase.PUBLISH):
        load.reached(Moment.PUBLISHING)
        read = (load.target.version, load.target.digest) if load.target else _NOTHING
        written = write(replace(load.commit(step, replace(facts, read_version=read)), stamp=load.stamp))
        record_columns(load, load.schema.after)
        load.journal.record(
            rows_inserted=written.rows_inserted,
            rows_updated=written.rows_updated,
            rows_deleted=written.rows_deleted,
            rows_present=written.rows_present,
            target_version=written.version,
            committed_by=None,
        )
        if written.rows_present is not None and written.rows_present < 0:
            raise EngineFailed(
                f"More rows were added to {load.config.target} than were read.", fix=LOAD_AGAIN
            )
        # Told without asking whether the row is still ours: what is committed is committed.
        load.observer.reached(load.config, Moment.PUBLISHED)
    return written


def replace_table(
    load: ActiveLoad, data: Rows | Stage, commit: Commit, dedup: Deduplication | None = None
) -> Written:
    """Put the data in the place of all that the target holds, and of its columns where they may change."""
    keeps = load.schema.keeps_columns
    # Whatever else was put there meanwhile is gone with it.
    alone = replace(commit, facts=replace(commit.facts, read_version=None))
    return load.engine.overwrite(
        load.config.target, data, alone, dedup, keep_columns=keeps, cluster_by=load.cluster_by
    )
