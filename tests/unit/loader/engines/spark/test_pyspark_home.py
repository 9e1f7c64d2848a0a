"""Where pyspark is, and what is said where it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from airflow_dataloader.loader.engines.spark.pyspark_home import pyspark_folder

#: A Python that finds this checkout, and of the environment everything but pyspark.
WITHOUT_PYSPARK = """
import sys
from importlib.machinery import PathFinder

class NoPyspark(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "pyspark" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = NoPyspark
from pathlib import Path
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark import ivy, server, session

settings = server.ServerSettings(jars=(Path("/j/x.jar"),), port=1, cores=1)
for ask in (
    lambda: ivy.fetch([], Path("/tmp"), {}),
    lambda: settings.command(Path("/s")),
    lambda: session.open_engine(session.EngineSettings(home=Path("/h"))),
    lambda: session.open_engine(session.EngineSettings(home=Path("/h"), remote="sc://h:1")),
):
    try:
        ask()
    except ConfigurationError as error:
        print(error)
"""


def test_it_is_a_spark_home() -> None:
    assert (pyspark_folder() / "bin" / "spark-submit").is_file()


def test_where_it_is_missing_everything_that_needs_it_says_the_same() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYSPARK],
        cwd=Path(__file__).parents[5],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = "pyspark is not installed. Fix: pip install 'airflow-dataloader[local]'.\n"
    assert (ran.stdout, ran.stderr) == (4 * said, "")
