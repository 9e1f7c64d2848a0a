"""The target's disk is full: the load fails, the target keeps what it has, and a later load is fine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_dataloader.core.status import LoadStatus
from tests.bench import Bench
from tests.faults.accident import ROOT
from tests.faults.items import row_of

pytestmark = pytest.mark.faults

_SIZE = "64m"
#: In a mount namespace of its own, which needs no rights where user namespaces are allowed.
_MOUNT = f'mount -t tmpfs -o size={_SIZE} tmpfs "$1" && shift && exec "$@"'
_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh"]


@pytest.fixture
def ask(bench: Bench, control_url: str, home: Path, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Give a line to a loader whose warehouse is a small disk, and return its answer."""
    own = tmp_path / "home"
    (own / "warehouse").mkdir(parents=True)
    (own / "jars").symlink_to((home / "jars").resolve())
    if shutil.which("unshare") is None or _refused(own):
        pytest.skip("needs user and mount namespaces (unshare --user --mount)")
    process = subprocess.Popen(
        [*_UNSHARE, str(own / "warehouse"), sys.executable, "-m", "tests.faults.small_disk", str(own)],
        env={**os.environ, **bench.secret_environment, "DATALOADER_CONTROL_URL": control_url},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def asked(line: str) -> Any:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        for said in process.stdout:
            if said.startswith("answer "):
                return json.loads(said.removeprefix("answer "))
        raise AssertionError(f"it ended at {line!r}")

    yield asked
    process.stdin.close()
    process.wait(60)


def _refused(own: Path) -> bool:
    return subprocess.run([*_UNSHARE, str(own / "warehouse"), "true"], check=False).returncode != 0


@pytest.mark.parametrize("strategy", ["full", "incremental"])
def test_a_full_disk(bench: Bench, ask: Callable[[str], Any], strategy: str) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, name text, updated_at integer)")
    _add(bench, 1, 200)
    row = row_of(bench, strategy)
    assert _load(bench, ask, row) == LoadStatus.SUCCEEDED
    before = _target(bench, ask)
    assert before == _source(bench)
    _add(bench, 201, 5000)
    ask("fill")
    assert _load(bench, ask, row) == LoadStatus.FAILED
    failure = bench.history(row)[-1].failure
    assert failure["transient"] is True
    assert "No space left on device" in failure["message"], failure
    assert _target(bench, ask) == before
    ask("free")
    assert _load(bench, ask, row) == LoadStatus.SUCCEEDED
    assert _target(bench, ask) == _source(bench)
    assert bench.state(row).last_status == "Succeeded"


def _add(bench: Bench, first: int, last: int) -> None:
    # Digits that cannot be compressed away: 2 kB a row.
    bench.source.execute(
        """INSERT INTO items
        SELECT i, (SELECT string_agg(md5(i || '/' || j), '') FROM generate_series(1, 64) j), i
        FROM generate_series(%s::int, %s) i""",
        (first, last),
    )


def _load(bench: Bench, ask: Callable[[str], Any], row: int) -> str:
    ids = bench.claim(row)
    status, _ = ask(f"load {ids.metadata_id} {ids.epoch}")
    return str(status)


def _target(bench: Bench, ask: Callable[[str], Any]) -> list[list[Any]]:
    return ask(f"rows {bench.schema} items")


def _source(bench: Bench) -> list[list[Any]]:
    return [list(row) for row in sorted(bench.source_rows().elements())]
