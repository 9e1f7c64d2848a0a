"""Closes sessions at a PostgreSQL while another thread looks at them; standard input: how it is reached.

A process of its own, since what goes wrong here ends the process.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time

from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from tests.source_configs import endpoint

ROUNDS = 500


def close_under_looks(session: PostgresqlSession) -> None:
    """Look at the session without a pause, and close it soon after the first look."""
    begun = threading.Event()

    def look() -> None:
        while True:
            try:
                session.activity()
            except SourceUnavailable:
                return
            begun.set()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    assert begun.wait(30), "no look ends"
    time.sleep(random.uniform(0, 0.004))
    session.close()
    thread.join(30)
    assert not thread.is_alive(), "a look does not end"


if __name__ == "__main__":
    where = json.load(sys.stdin)
    for _ in range(ROUNDS):
        close_under_looks(PostgresqlSession(endpoint(**where)))
