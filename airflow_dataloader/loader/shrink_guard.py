"""The shrink guard: what would lose the target far more rows than it should is never published."""

from __future__ import annotations

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.load_columns import unmarked
from airflow_dataloader.exceptions import ShrinkRefused
from airflow_dataloader.loader.active_load import ActiveLoad


def is_guarded(load: ActiveLoad) -> bool:
    """Return whether the row has a guard, and its target something to lose."""
    return load.config.shrink_guard_percent is not None and load.target is not None and load.target.filled


def refuse_shrinking(load: ActiveLoad, rows: int, predicate: str | None = None) -> None:
    """Raise ShrinkRefused if ``rows`` are far fewer than those whose place they would take.

    These are all of the target's, or those that satisfy ``predicate`` (SQL over target columns). Rows
    that are marked as deleted are lost already.
    """
    percent = load.config.shrink_guard_percent
    if percent is None or load.target is None or not is_guarded(load):
        return
    parts = [f"({part})" for part in (predicate, unmarked(load.target.columns, load.columns)) if part]
    with load.journal.during(Phase.PLAN):
        held = load.engine.count(load.config.target, " AND ".join(parts) or None)
    if exceeds(percent, held - rows, held):
        raise ShrinkRefused(
            f"{load.config.label} would hold {rows} rows where it holds {held}, "
            f"{lost_percent(held - rows, held)} % fewer; shrink_guard_percent is {percent}.",
            field="shrink_guard_percent",
            fix="see that the source has all its rows; if so, set shrink_guard_percent to "
            f"{lost_percent(held - rows, held)} or more for one load, or to NULL",
        )


def exceeds(percent: int, lost: int, held: int) -> bool:
    """Return whether ``lost`` of ``held`` rows are more than ``percent`` of them."""
    return lost * 100 > percent * held


def lost_percent(lost: int, held: int) -> int:
    """Return the smallest whole percentage that lets ``lost`` of ``held`` rows go."""
    return -(-lost * 100 // held)
