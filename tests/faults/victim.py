"""A loader in a process of its own that breaks off at a named moment.

``python -m tests.faults.victim <json>`` with the keys of :class:`Orders`; the control database and the
secrets come from the environment, as they do for every loader.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.url import resolve_url
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.run import LoadIds, run_load

#: Not a moment of the loader's own: it has been given the ids, and has done nothing yet.
CLAIMED = "claimed"

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What to load, and how to break."""

    metadata_id: int
    epoch: int
    home: str
    #: Moment of the break; None: load to the end.
    moment: str | None = None
    #: At which time that it reaches the moment: a backfill publishes once a chunk.
    time: int = 1
    #: ``SIGKILL`` ends the process, ``SIGSTOP`` freezes it until somebody continues it, ``SIGINT`` and
    #: ``SIGTERM`` ask it to end, as whoever cancels its run does.
    signal: str = "SIGKILL"
    #: Seconds between the moment and the break: 0 breaks in the loader's own thread, at the moment itself.
    delay: float = 0.0
    #: Seconds of lease and grace.
    lease: float = 60.0
    grace: float = 300.0
    margin: float = 15.0
    #: Seconds between heartbeats; a very long one makes a loader that learns of nothing.
    beat: float = 0.5

    def as_argument(self) -> str:
        """Return the orders as one command line argument."""
        return json.dumps(asdict(self))


class Breaker:
    """An observer that sends its own process a signal."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._times = 0

    def reached(self, config: LoadConfig | None, moment: str) -> None:
        """Break at the ordered moment, or a little later from another thread."""
        print(f"moment {moment}", flush=True)
        self._times += moment == self._orders.moment
        if moment != self._orders.moment or self._times != self._orders.time:
            return
        if self._orders.delay:
            timer = threading.Timer(self._orders.delay, self._break)
            timer.daemon = True
            timer.start()
        else:
            self._break()

    def _break(self) -> None:
        os.kill(os.getpid(), signal.Signals[self._orders.signal])


def main(argument: str) -> None:
    """Run the ordered load and print how it ended, if it comes to that."""
    # A test that is killed itself must not leave a frozen victim behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    orders = Orders(**json.loads(argument))
    breaker = Breaker(orders)
    context = LoaderContext(
        control=create_engine(resolve_url(os.environ)),
        engine=open_engine(
            EngineSettings(home=Path(orders.home), remote=os.environ.get("SPARK_REMOTE") or None)
        ),
        observer=breaker,
        times=LeaseTimes(
            beat=orders.beat, lease=orders.lease, grace=orders.grace, margin=orders.margin, retry=0.5
        ),
    )
    breaker.reached(None, CLAIMED)
    # As every process of a cluster's or workspace's does, which is asked to end when its run is cancelled.
    with interrupt.listening():
        result = run_load(context, LoadIds(metadata_id=orders.metadata_id, epoch=orders.epoch))
    print(f"ended {result.status} {result.message}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
