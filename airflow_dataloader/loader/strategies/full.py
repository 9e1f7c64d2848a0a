"""``full``: read everything, replace the table in one commit. Readers keep the old version until then."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.completeness import is_fixed
from airflow_dataloader.loader.empty_guard import refuse_empty_source
from airflow_dataloader.loader.engines.protocol import Rows, Stage, Written
from airflow_dataloader.loader.publish import replace_table
from airflow_dataloader.loader.reading import read_everything, read_where
from airflow_dataloader.loader.replacement import publish_read
from airflow_dataloader.loader.shrink_guard import is_guarded, refuse_shrinking
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.window import gone_back


def run(load: ActiveLoad) -> Outcome:
    """Overwrite the target with the whole source."""
    # Counting costs the source as much as reading. The guard needs the number before the write; and parts of
    # what is no table may hold a row twice, or not at all, where their column depends on the time.
    config = load.config
    in_parts = config.partition_column is not None and config.num_partitions != 1
    counted = is_guarded(load) or (in_parts and not is_fixed(load))
    plan = read_where(load, None) if counted else read_everything(load)
    refuse_empty_source(load)
    refuse_shrinking(load, load.journal.receipt.source_rows or 0)
    reached = gone_back(load)

    def write(data: Rows | Stage, commit: Commit) -> Written:
        return replace_table(load, data, commit)

    publish_read(load, plan, Facts(window=reached), write)
    watermark = None if reached is None else reached.watermark
    return Outcome(watermark=watermark, load_full_done=load.config.load_full)
