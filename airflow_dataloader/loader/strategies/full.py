"""``full``: read everything, replace the table in one commit. Readers keep the old version until then."""

from __future__ import annotations

from airflow_dataloader.core.facts import Facts
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.completeness import compare_with_source
from airflow_dataloader.loader.empty_guard import refuse_empty_source
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import read_everything, read_where, source_errors
from airflow_dataloader.loader.shrink_guard import is_guarded, refuse_shrinking
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.window import gone_back


def run(load: ActiveLoad) -> Outcome:
    """Overwrite the target with the whole source, straight from the read: nothing is staged."""
    # Counting costs the source as much as reading, and only the guard needs the number before the write.
    plan = read_where(load, None) if is_guarded(load) else read_everything(load)
    refuse_empty_source(load)
    refuse_shrinking(load, load.journal.receipt.source_rows or 0)
    reached = gone_back(load)
    rows = load.engine.read(plan)
    with source_errors(load, None):
        written = publish(load, Facts(window=reached), lambda commit: replace_table(load, rows, commit))
    load.journal.note(rows_read=written.rows_in, values_replaced=written.values_replaced)
    compare_with_source(load, written.rows_in, plan)
    watermark = None if reached is None else reached.watermark
    return Outcome(watermark=watermark, load_full_done=load.config.load_full)
