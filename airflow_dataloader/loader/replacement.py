"""Publishing a read in the place of what the target holds, as ``full`` and ``rolling`` do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.completeness import compare_with_source, is_fixed
from airflow_dataloader.loader.empty_guard import must_keep_rows, refuse_empty_window, refuse_nothing_read
from airflow_dataloader.loader.engines.protocol import Rows, Stage, Written
from airflow_dataloader.loader.publish import publish
from airflow_dataloader.loader.reading import source_errors
from airflow_dataloader.loader.shrink_guard import is_guarded, refuse_shrinking
from airflow_dataloader.loader.staging import refuse_other_rows, stage_rows

Write = Callable[[Rows | Stage, Commit], Written]


def publish_read(
    load: ActiveLoad,
    plan: ReadPlan,
    facts: Facts,
    write: Write,
    *,
    in_place_of: str | None = None,
    published: Callable[[], None] = lambda: None,
) -> None:
    """Publish what ``plan`` reads by ``write``, straight from the read where that may be: nothing is staged.

    ``in_place_of``: predicate of the target's rows whose place it takes; None: all. ``published`` is called
    once the commit stands, before anything else can fail.
    Raises EmptySource, ShrinkRefused, and what :func:`compare_with_source` raises.
    """
    if in_place_of is not None or not _may_be_published_unseen(load, plan):
        _publish_staged(load, plan, facts, write, in_place_of=in_place_of, published=published)
        return
    rows = load.engine.read(plan)
    with source_errors(load, plan.where):
        written = publish(load, facts, partial(write, rows))
    published()
    load.journal.record(rows_read=written.rows_in, values_replaced=written.values_replaced)
    compare_with_source(load, written.rows_in, plan)


def _may_be_published_unseen(load: ActiveLoad, plan: ReadPlan) -> bool:
    """Return whether a read may take the place of the whole target before it is known to be complete.

    The next load mends it, since it takes the place of the whole table, too. That is no help where the next
    one would read the same; and the guards of a filled target must have asked a connection that shares the
    snapshot. What takes the place of a slice may never be read again.
    """
    if not load.snapshot.shared:
        return not (must_keep_rows(load) or is_guarded(load))
    return not plan.partitions or is_fixed(load)


def _publish_staged(
    load: ActiveLoad,
    plan: ReadPlan,
    facts: Facts,
    write: Write,
    *,
    in_place_of: str | None,
    published: Callable[[], None],
) -> None:
    with stage_rows(load, plan, None) as stage:
        if stage.rows == 0:
            (refuse_nothing_read if plan.where is None else refuse_empty_window)(load)
        refuse_shrinking(load, stage.rows, in_place_of)
        written = publish(load, facts, partial(write, stage))
        published()
        refuse_other_rows(load, stage, written.rows_in)
