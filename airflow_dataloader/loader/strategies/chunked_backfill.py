"""``chunked_backfill``: read the history in chunks, in however many attempts, then be incremental."""

from __future__ import annotations

from airflow_dataloader.core.strategy import Strategy
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.backfill import BackfillState, checking_the_end, refuse_incomplete, take_up
from airflow_dataloader.loader.chunks import load_chunks
from airflow_dataloader.loader.empty_guard import refuse_emptying
from airflow_dataloader.loader.engines.protocol import Stage
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.shrink_guard import is_guarded, refuse_shrinking
from airflow_dataloader.loader.staging import refuse_other_rows, remark_on_keys
from airflow_dataloader.loader.strategies.outcome import Outcome


def run(load: ActiveLoad) -> Outcome:
    """Load the chunks that are left; where the target was filled, replace it by them in one commit."""
    state = take_up(load)
    load_chunks(load, state)
    remark_on_keys(load)
    if state.staged:
        if not state.finished:
            _replace_target(load, state)
        load.engine.drop_stage(state.table)
    return Outcome(
        watermark=state.plan.watermark,
        load_full_done=load.config.load_full,
        committed_before=state.finished,
        next_strategy=Strategy.INCREMENTAL,
    )


def _replace_target(load: ActiveLoad, state: BackfillState) -> None:
    waiting = load.engine.inspect(state.table, load.app_id, back_to=state.plan.epoch)
    if waiting is None:
        raise EngineFailed(f"Staging table {state.table} vanished; the next load fills it anew.")
    refuse_incomplete(load, state, waiting)
    if not waiting.filled:
        refuse_emptying(load)
    stage = Stage(name=state.table, columns=load.columns, rows=load.engine.count(state.table))
    if is_guarded(load):
        refuse_shrinking(load, stage.rows)
    with load.journal.without_source():
        written = publish(
            load,
            state.facts(None),
            lambda commit: replace_table(load, stage, commit),
            step=len(state.plan.chunks) + 1,
        )
        with checking_the_end(load, state):
            refuse_other_rows(load, stage, written.rows_in)
