"""What importing the package costs: Airflow's scheduler imports it, and must not pay for Spark."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

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


def test_the_plugin_loads_no_more_of_the_package_than_addresses() -> None:
    """Every component of Airflow imports it when it starts."""
    program = (
        "import sys, airflow_dataloader.plugins.navigation\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'airflow_dataloader'))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    # Airflow may say something first, and asks for the provider's description, with its settings, by itself.
    assert set(ran.stdout.splitlines()[-1].split()) == {
        "airflow_dataloader",
        "airflow_dataloader.defaults",
        "airflow_dataloader.exceptions",
        "airflow_dataloader.get_provider_info",
        "airflow_dataloader.operators",
        "airflow_dataloader.operators.links",
        "airflow_dataloader.plugins",
        "airflow_dataloader.plugins.navigation",
        "airflow_dataloader.settings",
    }
    assert loaded_after("import airflow_dataloader.plugins.navigation") & {"pyspark", "anthropic"} == set()


def connections_of(program: str, names: Sequence[str]) -> set[str]:
    """Return at which of Airflow's connections a new interpreter knocks that runs ``program``, be it in C."""
    with ExitStack() as stack:
        doors = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in names}
        variables = {
            f"AIRFLOW_CONN_{name.upper()}": f"postgres://u:p@127.0.0.1:{door.getsockname()[1]}/d"
            for name, door in doors.items()
        }
        environment = {**os.environ, **variables}
        subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True)
        return {name for name, door in doors.items() if select.select([door], [], [], 0)[0]}


def test_the_dag_file_opens_no_connection() -> None:
    names = ["dataloader_control", "databricks_default"]
    knocking = (
        "import contextlib, psycopg\n"
        "from airflow.sdk import BaseHook\n"
        f"for name in {names!r}:\n"
        "    found = BaseHook.get_connection(name)\n"
        "    with contextlib.suppress(psycopg.OperationalError):\n"
        "        psycopg.connect(host=found.host, port=found.port, connect_timeout=2)"
    )
    assert connections_of(knocking, names) == set(names)
    parsing = f"import runpy; runpy.run_path({str(REPOSITORY / 'dags' / 'dataloader.py')!r})"
    assert connections_of(parsing, names) == set()


def test_the_dag_file_costs_little_more_than_airflows_own_operator() -> None:
    """CPU time, which a busy machine does not lengthen, of what the operator has not imported already."""
    program = (
        "import runpy, time\n"
        "import airflow.providers.databricks.operators.databricks\n"
        "begun = time.process_time()\n"
        f"runpy.run_path({str(REPOSITORY / 'dags' / 'dataloader.py')!r})\n"
        "print(time.process_time() - begun)"
    )
    command = [sys.executable, "-c", program]
    ran = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(one.stdout.split()[-1]) for one in ran) < 0.2
