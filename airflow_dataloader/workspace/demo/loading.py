"""Has the demo's tables loaded by Airflow, and waits until every one of them is Succeeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import psycopg

from airflow_dataloader.workspace.demo import loads, shop
from airflow_dataloader.workspace.demo.deadline import Deadline
from airflow_dataloader.workspace.demo.loads import Load
from airflow_dataloader.workspace.demo.reporter import Reporter

T = TypeVar("T")

#: Loads of one table in one round, the first among them. Whoever kills a part kills its loads.
MOST_TRIES = 4
#: Seconds that a round may take; it takes one on a machine that does nothing else.
_PATIENCE = 900.0


@dataclass(frozen=True, kw_only=True)
class Loading:
    """One round of loads after the other."""

    control_url: str = field(repr=False)
    #: Has the load DAG run now, not at its next slot.
    trigger: Callable[[], object]
    #: Waits a moment; raises if waiting has become pointless.
    pause: Callable[[], None]
    reporter: Reporter

    def load(self) -> list[Load]:
        """Make every table due, have them claimed now, and return their loads when all have ended.

        They come in the order of the rows. A load that fails is tried again a few times. A control database
        or an Airflow that is away for a while is waited for; raises TransientError if a round takes far too
        long.
        """
        return self._load(self.trigger)

    def load_by_schedule(self) -> list[Load]:
        """Do what load does, but leave it to the DAG's own schedule to find what is due."""
        return self._load(None)

    def _load(self, trigger: Callable[[], object] | None) -> list[Load]:
        deadline = Deadline("Loading every table", _PATIENCE, self.pause, fix="see what Airflow's page says")
        begun = deadline.insist(lambda: self._on(loads.last))
        deadline.insist(lambda: self._on(lambda control: shop.run_script(control, "due.sql")))
        if trigger is not None:
            deadline.insist(trigger)
        return self._wait(begun, deadline)

    def _wait(self, begun: int, deadline: Deadline) -> list[Load]:
        # With the status: a load may end otherwise after all, where a database came back from before its end.
        told: set[tuple[int, str]] = set()
        tries: Counter[int] = Counter()
        wanted = deadline.insist(lambda: self._on(loads.tables))
        while True:
            found = deadline.insist(lambda: self._on(lambda control: loads.newest(control, begun)))
            ended = [load for load in found if load.over and (load.id, load.status) not in told]
            for load in ended:
                told.add((load.id, load.status))
                tries[load.config_id] += 1
                self._tell(load)
            again = [load for load in ended if not load.succeeded and tries[load.config_id] < MOST_TRIES]
            if again:
                deadline.insist(partial(self._again, again))
            over = [load for load in found if load.succeeded or tries[load.config_id] >= MOST_TRIES]
            if len(over) == wanted:
                return found
            self._show(found, wanted)
            deadline.pause()

    def _again(self, failed: list[Load]) -> None:
        self._on(lambda control: loads.make_due(control, [load.config_id for load in failed]))
        self.trigger()

    def _tell(self, load: Load) -> None:
        if load.succeeded:
            rows = (load.rows_inserted or 0) + (load.rows_updated or 0)
            self.reporter.line(f"  {load.target}: {rows:,} rows in {load.seconds:.1f} s")
        else:
            self.reporter.line(f"  {load.target}: {load.status}. {load.message}")

    def _show(self, found: list[Load], wanted: int) -> None:
        done = sum(load.succeeded for load in found)
        under_way = ", ".join(f"{load.target} {load.status}" for load in found if not load.over)
        self.reporter.now(f"{done} of {wanted} tables are loaded. {under_way}")

    def _on(self, action: Callable[[psycopg.Connection[Any]], T]) -> T:
        with closing(psycopg.connect(self.control_url, autocommit=True)) as control:
            return action(control)
