"""``incremental``: read a window of the cursor, merge it by key.

The merge updates only what differs, so reading a row again changes nothing.
"""

from __future__ import annotations

from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.load_window import beginning_of_merge, load_window
from airflow_dataloader.loader.strategies.outcome import Outcome


def run(load: ActiveLoad) -> Outcome:
    """Merge the window; replace the table instead where it is new, or ``load_full`` asks."""
    return load_window(load, beginning_of_merge(load), load.engine.merge)
