"""The control database, and a source, on every PostgreSQL that is older than the one of all other tests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.faults.accident import ROOT
from tests.faults.postgres_versions import RELEASES, VARIABLE, programs

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]

#: What asks a PostgreSQL anything: as a control database, and as a source.
SUITE = ("tests/integration/control", "tests/integration/sources", "tests/integration/cli/test_load.py")


@pytest.mark.parametrize("major", RELEASES)
def test_the_same_tests_pass_on_an_older_server(major: int) -> None:
    try:
        folder = programs(major)
    except subprocess.CalledProcessError as error:
        by_hand = f"{VARIABLE}=<folder with initdb> python -m pytest -m 'not faults' {' '.join(SUITE)}"
        pytest.skip(f"needs PostgreSQL {major}: {error.stderr.strip()}. With one of your own, run {by_hand}")
    said = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True)
    assert f" {major}." in said.stdout
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "not faults", "-p", "no:cacheprovider", "-q", *SUITE],
        # Its own libpq, which its modules for foreign tables and standbys would look for in the system.
        env={**os.environ, VARIABLE: str(folder), "LD_LIBRARY_PATH": str(folder.with_name("lib"))},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
