"""A table of 1,000 rows through a warm engine, from the claim to the settlement: how long, and where.

``full`` replaces the table each time; ``incremental`` merges the 50 rows that changed since the load before.
Phases are those of the load's receipt; the engine's verbs and the control database's calls are timed from
outside, and lie within the phases.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from airflow_dataloader.control.transaction import round_trips
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.observer import Moment
from benchmarks.report import Figure, report
from benchmarks.stand import Stand

ROWS = 1_000
CHANGED = 50
LOADS = 40
WARM_UP = 15

TOTAL, TRIPS = "total", "round trips"

ITEMS = "CREATE TABLE {} (id integer PRIMARY KEY, name text, price numeric(10,2), updated_at timestamptz)"
FILL = "INSERT INTO {} SELECT i, 'item ' || i, i / 4.0, now() FROM generate_series(1, {}) AS i"
CHANGE = "UPDATE {} SET price = price + 1, updated_at = clock_timestamp() WHERE mod(id, {}) = %s"

STRATEGIES: dict[str, dict[str, str]] = {
    "full": {"load_strategy": "full"},
    "incremental": {
        "load_strategy": "incremental",
        "primary_key_cols": "id",
        "incremental_column": "updated_at",
        "lookback": "0 seconds",
    },
}


class TimedEngine:
    """An engine that counts the seconds of each of its verbs."""

    def __init__(self, engine: Engine, seconds: dict[str, float]) -> None:
        self._engine = engine
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        """Return the engine's own attribute, timed."""
        begun = time.perf_counter()
        found = getattr(self._engine, name)
        if not callable(found):
            self._seconds[f"engine.{name}"] += time.perf_counter() - begun
            return found
        return lambda *values, **named: self._call(name, found, values, named)

    def _call(self, name: str, verb: Callable[..., Any], values: Any, named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return verb(*values, **named)
        finally:
            self._seconds[f"engine.{name}"] += time.perf_counter() - begun


class Stopwatch:
    """Takes the time of each moment of a load."""

    def __init__(self) -> None:
        self.at: dict[Moment, float] = {}

    def reached(self, config: LoadConfig, moment: Moment) -> None:  # noqa: ARG002  the protocol names it
        """Remember when."""
        self.at[moment] = time.perf_counter()


def main() -> None:
    """Load both tables in both modes and print what a load takes."""
    figures: list[Figure] = []
    with Stand() as stand:
        with stand.connect() as (engine, _):
            figures += measured(stand, engine, "Connect")
        with stand.classic() as engine:
            figures += measured(stand, engine, "classic")
    report("small_load", figures)


def measured(stand: Stand, engine: Engine, mode: str) -> list[Figure]:
    """Return the figures of one mode; the two strategies take turns."""
    rows = {name: new_table(stand, name, mode) for name in STRATEGIES}
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in STRATEGIES}
    for number in range(WARM_UP + LOADS):
        for name, config_id in rows.items():
            change = CHANGE.format(table_of(name, mode), ROWS // CHANGED)
            stand.source.execute(change, (number % (ROWS // CHANGED),))
            sample = one_load(stand, engine, config_id)
            if number >= WARM_UP:
                samples[name].append(sample)
    return [figure for name in STRATEGIES for figure in figures_of(f"{name}, {mode}", samples[name])]


def new_table(stand: Stand, strategy: str, mode: str) -> int:
    """Make and fill a source table; return its row's config_id."""
    table = table_of(strategy, mode)
    stand.source.execute(ITEMS.format(table))
    stand.source.execute(FILL.format(table, ROWS))
    return stand.row(table, **STRATEGIES[strategy])


def table_of(strategy: str, mode: str) -> str:
    """Return the source table's name."""
    return f"{strategy}_{mode.lower()}"


def one_load(stand: Stand, engine: Engine, config_id: int) -> dict[str, float]:
    """Load once; return seconds by part, :data:`TOTAL` and the number of :data:`TRIPS` among them."""
    verbs: dict[str, float] = defaultdict(float)
    watch = Stopwatch()
    timed: Any = TimedEngine(engine, verbs)
    trips = round_trips(stand.control)
    begun = time.perf_counter()
    ids = stand.claim(config_id)
    claimed = time.perf_counter()
    result = stand.run(stand.context(timed, watch), ids)
    ended = time.perf_counter()
    return {
        TOTAL: ended - begun,
        TRIPS: round_trips(stand.control) - trips,
        "claim": claimed - begun,
        "start": watch.at[Moment.STARTED] - claimed,
        **result.receipt.seconds,
        "settle": watch.at[Moment.SETTLED] - watch.at[Moment.SETTLING],
        **verbs,
    }


def figures_of(name: str, samples: list[dict[str, float]]) -> list[Figure]:
    """Return p50 and p95 of the whole, then the median of each part and its share."""
    totals = [sample[TOTAL] for sample in samples]
    middle = statistics.median(totals)
    figures = [
        Figure(f"{name}: claim to settled, p50 of {len(samples)}", middle * 1000, "ms"),
        Figure(f"{name}: claim to settled, p95", statistics.quantiles(totals, n=20)[-1] * 1000, "ms"),
        Figure(f"{name}: control database", statistics.median(s[TRIPS] for s in samples), "round trips"),
    ]
    for part in samples[0]:
        if part not in {TOTAL, TRIPS}:
            value = statistics.median(sample.get(part, 0.0) for sample in samples)
            figures.append(Figure(f"{name}: {part}", value * 1000, "ms", ratio_to=("p50", value / middle)))
    return figures


if __name__ == "__main__":
    main()
