"""``rolling``: read the last days anew and put them in place of the target's, in one commit."""

from __future__ import annotations

from functools import partial

from airflow_dataloader.control.settle import finish_load_full
from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.days import freeze_days, refuse_other_day, remark_on_gap, slice_predicate
from airflow_dataloader.loader.empty_guard import refuse_empty_window
from airflow_dataloader.loader.engines.protocol import Rows, Stage, Written
from airflow_dataloader.loader.publish import replace_table
from airflow_dataloader.loader.reading import read_where
from airflow_dataloader.loader.replacement import publish_read
from airflow_dataloader.loader.shrink_guard import refuse_shrinking
from airflow_dataloader.loader.strategies.outcome import Outcome


def run(load: ActiveLoad) -> Outcome:
    """Replace the window's days; older ones go or stay by ``rolling_retention``."""
    days = freeze_days(load)
    plan = read_where(load, days.where)
    if load.journal.receipt.source_rows == 0:
        refuse_empty_window(load)
    keeps = load.config.keeps_older_days and not load.starts_over
    in_place_of = slice_predicate(days) if keeps else None
    if keeps:
        refuse_other_day(load, days.column.name)
        remark_on_gap(load, days)
    refuse_shrinking(load, load.journal.receipt.source_rows or 0, in_place_of)

    facts = Facts(
        day_column=days.column.name.casefold(), seen_until=days.seen_until, shown_until=days.shown_until
    )

    def write(data: Rows | Stage, commit: Commit) -> Written:
        if in_place_of is not None:
            return load.engine.replace_slice(load.config.target, data, in_place_of, commit)
        return replace_table(load, data, commit)

    # To replace the table again would take the days that have passed since.
    load.journal.replaces_once = load.config.load_full and load.config.keeps_older_days

    def published() -> None:
        if load.journal.replaces_once:
            finish = partial(finish_load_full, load.control, load.started)
            load.keeper.patiently(finish)

    publish_read(load, plan, facts, write, in_place_of=in_place_of, published=published)
    return Outcome(load_full_done=load.config.load_full)
