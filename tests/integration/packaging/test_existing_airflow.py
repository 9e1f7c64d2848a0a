"""The wheel, installed into an environment that has Airflow alone, as most have it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration.packaging import environments
from tests.integration.packaging.conftest import REPOSITORY
from tests.integration.packaging.provider_command import NAME, airflow


@pytest.fixture(scope="module")
def existing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the interpreter of an environment with Airflow, at the versions that the tests run with."""
    folder = tmp_path_factory.mktemp("existing") / "venv"
    python = environments.make(folder)
    environments.install(python, "--constraints", REPOSITORY / "constraints.txt", "apache-airflow")
    yield python
    shutil.rmtree(folder)


def installed(python: Path) -> Mapping[str, str]:
    """Return the version of each distribution, by name."""
    lines = environments.ask(python, "freeze").splitlines()
    return dict(line.replace(" @ ", "==").split("==", 1) for line in lines)


def test_nothing_else_of_it_changes_and_it_finds_the_provider(
    existing: Path, wheel: Path, tmp_path: Path
) -> None:
    before = installed(existing)
    assert "apache-airflow-core" in before
    assert not {NAME, "apache-airflow-providers-databricks", "pyspark"} & before.keys()
    environments.install(existing, wheel)
    after = installed(existing)
    assert {name: after.get(name) for name in before} == before
    assert NAME in after
    # A cluster has a Spark of its own; the one for this machine is an extra.
    assert "pyspark" not in after
    environments.ask(existing, "check")
    (provider,) = airflow(tmp_path, "providers", "get", NAME, "--full", command=existing.with_name("airflow"))
    assert provider["package-name"] == NAME
