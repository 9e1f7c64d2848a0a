"""What importing the package costs: Airflow's scheduler imports it, and must not pay for Spark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.dag_import import measure

REPOSITORY = Path(__file__).parents[2]
HEAVY = ("pyspark", "anthropic", "airflow", "pandas", "pyarrow")


def loaded_after(statement: str) -> set[str]:
    """Return the top-level modules that a new interpreter holds after ``statement``."""
    program = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import airflow_dataloader",
        "import airflow_dataloader.settings, airflow_dataloader.resources",
        "import airflow_dataloader.get_provider_info",
        "import airflow_dataloader.control.claim, airflow_dataloader.control.reap",
        "import airflow_dataloader.sources.registry",
        "import airflow_dataloader.loader.run",
        "import airflow_dataloader.loader.engines.spark.jars",
        "import airflow_dataloader.cli.main",
    ],
)
def test_an_import_loads_nothing_heavy(statement: str) -> None:
    assert loaded_after(statement) & set(HEAVY) == set()


def test_the_package_itself_loads_nothing_but_the_standard_library() -> None:
    ours = loaded_after("import airflow_dataloader") - loaded_after("pass")
    assert ours - set(sys.stdlib_module_names) == {"airflow_dataloader"}


def test_every_dag_file_loads_nothing_heavy_but_airflow() -> None:
    for path in sorted((REPOSITORY / "dags").glob("*.py")):
        statement = f"import runpy; runpy.run_path({str(path)!r})"
        assert loaded_after(statement) & {"pyspark", "anthropic"} == set(), path.name


def test_the_dag_file_opens_no_connection() -> None:
    program = (
        "import runpy, sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, _: event == 'socket.connect' and opened.append(event))\n"
        f"runpy.run_path({str(REPOSITORY / 'dags' / 'dataloader.py')!r})\n"
        "print(len(opened))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "0"


def test_the_dag_file_costs_little_more_than_airflows_own_operator() -> None:
    operator, dag_file = measure(repeats=2)
    # What is allowed is a fifth of a second beside more than half a second of the operator's.
    assert min(dag_file) < 1.35 * min(operator)
