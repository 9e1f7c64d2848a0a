"""A load as a cluster runs it: the loader's own files, its few requirements, pyspark, and no Airflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader import resources
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.tables import historical_metadata, table_control
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.loader.engines.spark import jars
from airflow_dataloader.settings import Settings
from tests.factories import add_row, add_source
from tests.integration.packaging import environments

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Engine

    from tests.conftest import Server

PACKAGE = Path(resources.__file__).parent
REQUIREMENTS = PACKAGE / "loader" / "requirements.txt"
#: What deploy brings to a cluster beside the package's top modules.
ROOMS = ("core", "control", "sources", "loader")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the interpreter of an environment with what a cluster has."""
    folder = tmp_path_factory.mktemp("cluster") / "venv"
    made = environments.make(folder)
    environments.install(made, "-r", REQUIREMENTS, f"pyspark=={version('pyspark')}")
    yield made
    shutil.rmtree(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder as deploy makes it: the package's rooms beside the task files."""
    root = tmp_path / "root"
    ignored = shutil.ignore_patterns("__pycache__")
    for room in ROOMS:
        shutil.copytree(PACKAGE / room, root / "airflow_dataloader" / room, ignore=ignored)
    for module in PACKAGE.glob("*.py"):
        shutil.copy(module, root / "airflow_dataloader")
    shutil.copytree(resources.spark_tasks_folder(), root / "spark_tasks", ignore=ignored)
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a DATALOADER_HOME of this test's own, with this machine's jars."""
    here = Settings.from_environment(os.environ).home
    jars.ensure(jars.DEFAULT, here)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "jars").symlink_to(here / "jars")
    return tmp_path / "home"


def test_the_environment_has_no_airflow(python: Path) -> None:
    ran = subprocess.run([python, "-c", "import airflow"], capture_output=True, text=True, check=False)
    assert "No module named 'airflow'" in ran.stderr


def test_the_requirements_are_those_that_the_tests_run_with() -> None:
    pins = re.findall(r"^([a-z]+)(?:\[\w+\])?==(\S+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert pins
    assert dict(pins) == {name: version(name) for name, _ in pins}


def test_a_load_succeeds_there(
    python: Path,
    root: Path,
    home: Path,
    control: Engine,
    control_url: str,
    source_db: psycopg.Connection,
    postgres: Server,
) -> None:
    source_db.execute(
        "CREATE TABLE items AS SELECT id, 'name ' || id AS name FROM generate_series(1, 1000) id"
    )
    add_source(control)
    config_id = add_row(
        control,
        source_table_name="items",
        destination_table_name="items",
        query="SELECT id, name FROM items WHERE id <= 900",
        load_strategy="incremental",
        primary_key_cols="id",
        incremental_column="id",
    )
    (claimed,) = claim(control, airflow_run="cluster", only=[config_id], trigger=Trigger.MANUAL)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DATALOADER_HOME": str(home),
        "DATALOADER_CONTROL_URL": control_url,
        "DATALOADER_SECRET_TEST_SHOP_HOST": "127.0.0.1",
        "DATALOADER_SECRET_TEST_SHOP_PORT": str(postgres.port),
        "DATALOADER_SECRET_TEST_SHOP_DATABASE": source_db.info.dbname,
        "DATALOADER_SECRET_TEST_SHOP_USER": postgres.user,
        "DATALOADER_SECRET_TEST_SHOP_PASSWORD": postgres.password,
    }
    ran = subprocess.run(
        [python, root / "spark_tasks" / "load_table.py", f"{claimed.metadata_id}:{claimed.epoch}"],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    with control.begin() as connection:
        row = connection.execute(table_control.select()).one()
        load = connection.execute(historical_metadata.select()).one()
    assert (row.last_status, load.load_status, load.rows_processed) == ("Succeeded", "Succeeded", 900)
    assert row.incremental_value == "900"
    assert list((home / "warehouse" / "bronze" / "shop" / "items" / "_delta_log").glob("*.json"))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("load_table.py", "'not-an-id' does not name a load. Fix: pass <metadata_id>:<epoch>."),
        ("verify_table.py", "'not-an-id' does not name a row. Fix: pass <config_id>."),
    ],
)
def test_what_names_nothing_is_one_line_and_a_failure(
    python: Path, root: Path, control_url: str, home: Path, task: str, said: str
) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "DATALOADER_CONTROL_URL": control_url}
    ran = subprocess.run(
        [python, root / "spark_tasks" / task, "not-an-id"],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == f"Error: {said}\n"
