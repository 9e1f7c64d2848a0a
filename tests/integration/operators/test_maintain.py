"""The maintenance DAG: its real task, a real run of the workspace, real Spark."""

from __future__ import annotations

from tests.airflow_db import dag
from tests.airflow_stand import Workspace
from tests.bench import Bench


def test_a_target_is_compacted_by_the_dag(bench: Bench, workspace: Workspace) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT generate_series(1, 3) AS id")
    row = bench.row(load_strategy="append_only", incremental_column="id", optimize_every_hours=24)
    bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES (4)")
    bench.succeed(row)
    run = dag("dataloader_maintain").test()
    assert {ti.task_id: str(ti.state) for ti in run.get_task_instances()} == {"maintain": "success"}
    (submitted,) = workspace.runs()
    assert submitted["run_name"] == "dataloader maintain"
    done = bench.engine.optimize(bench.target())
    assert done is not None
    assert done.files_removed == 0, "there is nothing left to compact"
    assert bench.target_rows() == bench.source_rows()
