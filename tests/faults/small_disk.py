"""A loader on a small disk: does what it is told line by line, and answers each line with one of JSON.

``python -m tests.faults.small_disk <home>``; lines are ``load <metadata_id> <epoch>``, ``rows <schema>
<table>``, ``fill`` (a file takes nearly all of the disk) and ``free`` (it is removed).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.url import resolve_url
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.run import LoadIds, run_load

#: What ``fill`` leaves: enough for a log entry, not for the data.
_LEFT = 3_000_000


def main(home: str) -> None:
    """Answer every line."""
    warehouse = Path(home) / "warehouse"
    engine = open_engine(EngineSettings(home=Path(home), cores=1, memory="1g"))
    context = LoaderContext(control=create_engine(resolve_url(os.environ)), engine=engine)

    def answer(command: str, *rest: str) -> Any:
        if command == "load":
            result = run_load(context, LoadIds(metadata_id=int(rest[0]), epoch=int(rest[1])))
            return [result.status, result.message]
        if command == "rows":
            return sorted(engine.rows(TargetName(catalog="bronze", schema=rest[0], table=rest[1])))
        ballast = warehouse / "ballast"
        if command == "free":
            return ballast.unlink()
        with ballast.open("wb") as file:
            return file.write(b"x" * (shutil.disk_usage(warehouse).free - _LEFT))

    for line in sys.stdin:
        print("answer " + json.dumps(answer(*line.split())), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
