"""Claims one row under a run's name in a process of its own; what it gets is printed.

``python -m tests.faults.claimer <control url> <run> <config_id>``. It connects first, says ``ready``, and
claims when it is given a line.
"""

from __future__ import annotations

import sys

from sqlalchemy import text

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.connect import create_engine


def main(url: str, run: str, config_id: str) -> None:
    """Connect, wait for the word, claim."""
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    print("ready", flush=True)
    sys.stdin.readline()
    print([one.metadata_id for one in claim(engine, airflow_run=run, only=[int(config_id)])], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
