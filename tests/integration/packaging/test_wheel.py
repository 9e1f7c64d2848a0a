"""The wheel holds all that an installation needs, and an installation finds it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.packaging.conftest import REPOSITORY


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def checkout(folder: str) -> set[str]:
    """Return the files below a folder of the checkout that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.splitlines() if (REPOSITORY / name).is_file()}


@pytest.mark.parametrize("folder", ["sql", "dags", "spark_tasks"])
def test_what_lies_beside_the_package_travels_below_it(wheel: Path, folder: str) -> None:
    there = checkout(folder)
    assert there
    assert {f"airflow_dataloader/_{name}" for name in there} <= names(wheel)


def test_the_package_travels_whole_with_its_data(wheel: Path) -> None:
    inside = {name for name in names(wheel) if name.startswith("airflow_dataloader/")}
    beside = tuple(f"airflow_dataloader/_{folder}/" for folder in ("sql", "dags", "spark_tasks"))
    assert {name for name in inside if not name.startswith(beside)} == checkout("airflow_dataloader")


def test_nothing_else_travels(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"airflow_dataloader"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names(wheel))


def test_an_installation_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    """Unpacked where no checkout is near, and imported from there."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "from airflow_dataloader import resources\n"
        "print(resources.sql_folder(), resources.dags_folder(), resources.spark_tasks_folder())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    package = tmp_path.resolve() / "airflow_dataloader"
    assert ran.stdout.split() == [str(package / f"_{name}") for name in ("sql", "dags", "spark_tasks")]


def test_the_documentation_names_the_providers_that_it_needs(wheel: Path) -> None:
    (metadata,) = (name for name in names(wheel) if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read(metadata).decode().splitlines()
    needed = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: apache-airflow")]
    assert len(needed) == 3
    documented = (REPOSITORY / "docs" / "installation.md").read_text()
    for requirement in needed:
        name, _, least = requirement.partition(">=")
        assert f"`{name}` {least} " in documented, requirement
