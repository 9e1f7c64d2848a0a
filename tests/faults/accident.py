"""Starts a victim, waits for its accident, gives its load up as reap does, and looks at what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_dataloader.control.reap import reap
from airflow_dataloader.core.commit import parse_user_metadata
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.faults.victim import Orders
from tests.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[2]


class Victim:
    """A loader process and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """Everything so far."""
        return "".join(self._said)

    def wait_for(self, text: str) -> None:
        """Wait until the process has said ``text``; fail the test if it ends before."""

        def heard() -> bool:
            ended = self.process.poll() is not None
            if ended:
                self._reader.join(PATIENCE)
            assert text in self.said or not ended, f"it ended before it said {text!r}:\n{self.said}"
            return text in self.said

        eventually(f"{text!r}", heard)

    def end(self) -> str:
        """Wait for the end of the process and return what it said."""
        # It may have a Spark of its own to start, on a machine that does other things.
        self.process.wait(5 * PATIENCE)
        self._reader.join(PATIENCE)
        return self.said

    def kill(self) -> None:
        """End it as an operating system ends it that has run out of memory."""
        self.process.kill()
        self.end()

    def wait_until_frozen(self) -> None:
        """Wait until the process has stopped itself."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        eventually("the freeze", lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.process.send_signal(signal.SIGCONT)

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._said.extend(iter(self.process.stdout.readline, ""))


@contextmanager
def victim(
    bench: Bench, control_url: str, ids: LoadIds, *, remote: str | None = None, **orders: Any
) -> Iterator[Victim]:
    """Run a loader process under orders; it is ended, whatever state it is in, when the block ends.

    ``remote`` is its ``SPARK_REMOTE``, by default the bench's; empty: it brings a Spark of its own.
    """
    told = Orders(metadata_id=ids.metadata_id, epoch=ids.epoch, home=str(bench.home), **orders)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.victim", told.as_argument()],
        env={
            **os.environ,
            **bench.secret_environment,
            "DATALOADER_CONTROL_URL": control_url,
            "SPARK_REMOTE": bench.remote if remote is None else remote,
        },
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Victim(process)
    finally:
        process.kill()
        process.wait()


def kill_at(bench: Bench, control_url: str, config_id: int, moment: str, **orders: Any) -> LoadIds:
    """Claim the row, load it in a process that dies at ``moment``, give the load up; return its ids."""
    ids = bench.claim(config_id)
    with victim(bench, control_url, ids, moment=moment, **orders) as dying:
        said = dying.end()
        assert f"moment {moment}\n" in said, said
        assert dying.process.returncode == -signal.SIGKILL, said
    give_up(bench, config_id)
    return ids


def give_up(bench: Bench, config_id: int) -> None:
    """Let the lease of the row's load be long over, and let reap find that."""
    bench.pretend_lease_ended(config_id)
    reap(bench.control, run_api=None, limits=ReapLimits(startup=0))
    assert bench.state(config_id).last_status == "Failed"


class Beside:
    """A load in a thread of this process, so that the test can break something meanwhile."""

    def __init__(self, bench: Bench, ids: LoadIds, times: LeaseTimes | None = None) -> None:
        context = replace(bench.context, times=times) if times else bench.context
        self._results: list[Result] = []
        self._thread = threading.Thread(target=lambda: self._results.append(run_load(context, ids)))
        self._thread.start()

    def result(self) -> Result:
        """Wait for the end of the load."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the load does not come to an end"
        return self._results[0]


def commits(bench: Bench, table: str = "items") -> list[dict[str, Any]]:
    """Read a target's log from its files, past everything that could be wrong about reading it: oldest first.

    Each entry has ``table_version``, ``txn`` (version by writer) and ``commit``, ours or None.
    """
    log = bench.home / "warehouse" / "bronze" / bench.schema / table / "_delta_log"
    found = []
    for file in sorted(log.glob("*.json")):
        actions = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        info = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        found.append(
            {
                "table_version": int(file.stem),
                "txn": {a["txn"]["appId"]: a["txn"]["version"] for a in actions if "txn" in a},
                "commit": parse_user_metadata(info.get("userMetadata")),
            }
        )
    return found


def published(bench: Bench, ids: LoadIds) -> bool:
    """Return whether the load has published at the target, whatever anybody says about it."""
    ours = [entry["commit"] for entry in commits(bench)]
    return any(one and one.metadata_id == ids.metadata_id and one.publishes for one in ours)


def healthy(bench: Bench, config_id: int, *, equal: bool = True) -> None:
    """Insist on what must hold after every accident and the next load."""
    if equal:
        assert bench.target_rows() == bench.source_rows(), "target and source differ"
    loads = bench.history(config_id)
    assert all(load.load_end_time is not None for load in loads), "a load has not ended"
    assert {load.load_status for load in loads} <= {"Succeeded", "Failed", "Cancelled"}
    state = bench.state(config_id)
    assert (state.last_status, state.retry_count) == ("Succeeded", 0)
    written = commits(bench)
    app_id = f"adl:{bench.installation}:{config_id}"
    versions = [entry["txn"][app_id] for entry in written if app_id in entry["txn"]]
    assert versions == sorted(set(versions)), "a commit was repeated, or an older one landed late"
    by_version = {entry["table_version"]: entry["commit"] for entry in written}
    for load in loads:
        if load.load_status == "Succeeded":
            assert load.receipt, "a load succeeded without a receipt"
            assert None not in (load.rows_read, load.rows_inserted), "a load succeeded without its counts"
            # A window without rows, and a source that has not changed, are published by no commit.
            assert load.target_version is not None or load.rows_read == 0, "it succeeded without a version"
        if load.target_version is not None:
            maker = (load.receipt or {}).get("committed_by", load.id)
            assert by_version[load.target_version].metadata_id == maker
    recorded = {load.id for load in loads if load.target_version is not None}
    landed = {commit.metadata_id for commit in by_version.values() if commit and commit.publishes}
    assert landed <= recorded, "the target holds a commit that no load has on record"
    assert not bench.stages(), "a stage was left behind"
