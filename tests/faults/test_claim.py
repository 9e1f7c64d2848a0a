"""A claim whose answer never arrived: the same run asks again and gets the same loads."""

from __future__ import annotations

import subprocess
import sys

from airflow_dataloader.control.claim import claim
from airflow_dataloader.loader.run import LoadIds, run_load
from tests.bench import Bench
from tests.faults.accident import ROOT, healthy
from tests.faults.items import make_items, row_of
from tests.faults.proxy import Fault, Plan, proxied
from tests.waiting import eventually


def test_the_claimer_is_killed_between_commit_and_answer(bench: Bench, control_url: str) -> None:
    make_items(bench)
    row = row_of(bench, "incremental")
    with proxied(control_url) as (between, url):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.claimer", url, "run-1", str(row)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            # Once it has asked for the commit, the database hears everything, and nobody hears the database.
            between.plan = Plan(Fault.STALL, asked=b"COMMIT\0")
            process.stdin.write("now\n")
            process.stdin.flush()
            eventually("the commit", lambda: bench.state(row).last_status == "Queued")
            eventually("the answer's loss", lambda: between.met == 1)
            assert process.poll() is None, "it got an answer, or noticed"
        finally:
            process.kill()
            process.communicate()
    again = claim(bench.control, airflow_run="run-1", only=[row])
    assert [one.metadata_id for one in again] == [load.id for load in bench.history(row)]
    assert claim(bench.control, airflow_run="run-1", only=[row]) == again
    run_load(bench.context, LoadIds(metadata_id=again[0].metadata_id, epoch=again[0].epoch))
    healthy(bench, row)
    # The run's claim still answers with the load, which is over by now, and claims nothing.
    (over,) = claim(bench.control, airflow_run="run-1", only=[row])
    assert (over.metadata_id, over.load_status) == (again[0].metadata_id, "Succeeded")
