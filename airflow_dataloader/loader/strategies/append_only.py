"""``append_only``: read a window of the cursor, add what the target does not hold. No row is ever changed."""

from __future__ import annotations

from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.load_window import beginning_of_append, load_window
from airflow_dataloader.loader.strategies.outcome import Outcome


def run(load: ActiveLoad) -> Outcome:
    """Add the window's rows that are missing; replace the table instead where it is new, or asked to."""
    return load_window(load, beginning_of_append(load), load.engine.append_missing)
