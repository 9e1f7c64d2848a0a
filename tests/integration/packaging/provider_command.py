"""Airflow's own command, in an installation that nothing has been set in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

NAME = "airflow-dataloader"


def airflow(home: Path, *arguments: str, command: Path | None = None) -> list[dict[str, Any]]:
    """Return what ``command``, by default this environment's, answers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [command or Path(sys.executable).with_name("airflow"), *arguments, "--output", "json"],
        env={**kept, "AIRFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer
