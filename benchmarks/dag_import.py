"""What parsing the package's DAG file costs beyond importing Airflow's own DatabricksSubmitRunOperator.

Every import is a new interpreter's, and CPU time is what counts: the machine may be busy. The two are taken
in turn, so that what disturbs one disturbs the other.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from airflow_dataloader.resources import dags_folder
from benchmarks.report import Figure, report

REPEATS = 9

OPERATOR = "from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator"
DAG_FILE = f"import runpy; runpy.run_path({str(dags_folder() / 'dataloader.py')!r})"

_MEASURE = "import time\nbefore = time.process_time()\n{}\nprint(time.process_time() - before)"


def main() -> None:
    """Measure and report."""
    operator, dag_file = measure(REPEATS)
    base = min(operator)
    report(
        "dag_import",
        [
            Figure("DatabricksSubmitRunOperator, CPU", base, "s"),
            Figure("DAG file, CPU", min(dag_file), "s", ("the operator alone", min(dag_file) / base)),
            Figure("DAG file beyond the operator, CPU", min(dag_file) - base, "s"),
            Figure("DAG file, median CPU", statistics.median(dag_file), "s"),
        ],
    )


def measure(repeats: int) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of importing the operator, and of running the DAG file, so many times."""
    pairs = [(seconds(OPERATOR), seconds(DAG_FILE)) for _ in range(repeats)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def seconds(statement: str) -> float:
    """Return the CPU seconds that a new interpreter needs for ``statement``."""
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(statement)],
        env={**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(ran.stdout.split()[-1])
