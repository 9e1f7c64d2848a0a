"""``make env`` in a copy of the checkout, where something that it needs is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]

#: Nothing listens there.
NOWHERE = "http://127.0.0.1:1/simple"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout with all that the script looks at before it needs the network."""
    folder = tmp_path / "loader"
    folder.mkdir()
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    for name in (".ci", "sql"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "airflow_dataloader").mkdir()
    (folder / "airflow_dataloader" / "__init__.py").write_text('__version__ = "0"\n')
    return folder


def made(folder: Path, python: str = sys.executable) -> tuple[int, str, list[str]]:
    """Run the script; return its exit code, what it printed, and what it said on stderr."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "PYTHON": python,
        "PIP_INDEX_URL": NOWHERE,
        "PIP_RETRIES": "0",
        "UV_DEFAULT_INDEX": NOWHERE,
        "UV_HTTP_RETRIES": "0",
        "UV_CACHE_DIR": str(folder.parent / "uv"),
    }
    ran = subprocess.run(
        [folder / ".ci" / "env"], env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    return ran.returncode, ran.stdout, ran.stderr.splitlines()


def test_a_checkout_under_another_name_gets_an_environment_of_its_own(copy: Path) -> None:
    """The scripts of the old one hold the old path, also where that only begins with the new one."""
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (copy / ".venv" / ".made-from").write_text(f"{copy}-main\n1 2\n")
    code, out, error = made(copy)
    assert "env: making .venv with Python" in out
    assert code == 1
    assert error[-1] == (
        "env: uv could not be fetched: make env needs the package index, or a mirror of it in PIP_INDEX_URL."
    )


def test_packages_that_cannot_be_fetched_are_said_so(copy: Path) -> None:
    venv.create(copy / ".venv", with_pip=False)
    places = (Path(sys.executable).parent, REPOSITORY / ".venv" / "bin", REPOSITORY / ".venv-tools" / "bin")
    uv = next(place / "uv" for place in places if (place / "uv").is_file())
    (copy / ".venv" / "bin" / "uv").symlink_to(uv)
    code, out, error = made(copy)
    assert "making .venv" not in out
    assert code == 1
    assert error[-1] == (
        "env: the packages could not be installed: make env needs the package index, "
        "or a mirror of it in UV_DEFAULT_INDEX."
    )


#: A Python that is new enough, as a distribution ships it that has split venv and pip off.
BARE = """#!/bin/sh
case "$1" in
    -m) echo "No module named $2" >&2; exit 1 ;;
    *) exec {python} "$@" ;;
esac
"""


def test_a_python_with_neither_venv_nor_pip_is_one_line(copy: Path) -> None:
    bare = copy.parent / "bare"
    bare.write_text(BARE.format(python=sys.executable))
    bare.chmod(0o755)
    code, _, error = made(copy, str(bare))
    assert code == 1
    assert error == [
        f"env: {bare} has neither venv nor pip: install one of them (Debian: apt install python3-venv)."
    ]
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize("wrong", ["/bin/false", "/nowhere/python3"])
def test_a_python_that_is_named_and_is_none_is_one_line(copy: Path, wrong: str) -> None:
    code, out, error = made(copy, wrong)
    assert (code, out, error) == (1, "", [f"env: PYTHON={wrong} is not a Python 3.11 or newer."])
