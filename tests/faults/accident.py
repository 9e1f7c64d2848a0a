"""Starts a victim, waits for its accident, and clears up as reap would after the lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_dataloader.control.reap import reap

from airflow_dataloader.loader.run import LoadIds
from tests.bench import Bench
from tests.faults.victim import Orders

ROOT = Path(__file__).parents[2]


@contextmanager
def victim(bench: Bench, control_url: str, ids: LoadIds, **orders: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a loader process under orders; it is ended, whatever state it is in, when the block ends."""
    told = Orders(metadata_id=ids.metadata_id, epoch=ids.epoch, home=str(bench.home), **orders)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.victim", told.as_argument()],
        env={
            **os.environ,
            **bench.secret_environment,
            "DATALOADER_CONTROL_URL": control_url,
            "SPARK_REMOTE": bench.remote,
        },
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()


def output(process: subprocess.Popen[str]) -> str:
    """Wait for the process and return what it said."""
    said, _ = process.communicate(timeout=120)
    return said


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read what the process says until a line contains ``text``; fail the test if it ends before."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"the victim ended before it said {text!r}:\n{said}")


def give_up(bench: Bench, config_id: int) -> None:
    """Let the row's lease be long over, and let reap find that."""
    bench.pretend_lease_ended(config_id)
    reap(bench.control, run_api=None)
    assert bench.state(config_id).last_status == "Failed"


def healthy(bench: Bench, config_id: int) -> None:
    """Insist on what must hold after every accident and the next load."""
    loads = bench.history(config_id)
    assert all(load.load_end_time is not None for load in loads)
    assert bench.state(config_id).last_status == "Succeeded"
    succeeded = [load for load in loads if load.load_status == "Succeeded"]
    assert all(load.receipt for load in succeeded)
    app_id = f"adl:{bench.installation}:{config_id}"
    target = bench.engine.inspect(bench.target(), app_id)
    assert target is not None
    versions = [entry.commit.version for entry in target.commits]
    assert len(versions) == len(set(versions)), "a commit was repeated"
    assert not bench.stages(), "a stage was left behind"
