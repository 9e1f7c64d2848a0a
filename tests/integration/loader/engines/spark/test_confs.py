"""What a JVM of ours keeps of the tables that have passed through it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: In a process of its own, because a process has one JVM and the other tests' may be of another mode.
LOOK_AT_TABLES = """
import sys
from contextlib import closing
from pathlib import Path
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine

with closing(open_engine(EngineSettings(home=Path(sys.argv[1]), cores=2))) as engine:
    spark = engine._context.spark
    for number in range(40):
        table = f"delta.`{sys.argv[2]}/{number}`"
        spark.sql(f"CREATE TABLE {table} (id INT) USING delta")
        spark.table(table).schema
    log = getattr(getattr(spark._jvm.org.apache.spark.sql.delta, "DeltaLog$"), "MODULE$")
    print("kept:", log.cacheSize())
"""


def test_delta_forgets_tables_that_were_looked_at_long_ago(home: Path, tmp_path: Path) -> None:
    """Otherwise a warm engine is out of memory after a few hundred loads."""
    command = [sys.executable, "-c", LOOK_AT_TABLES, str(home), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    kept = int(ended.stdout.partition("kept: ")[2])
    assert 0 < kept <= 32
