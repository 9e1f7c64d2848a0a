"""Python environments of a test's own, and what uv installs there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_UV = Path(sys.executable).with_name("uv")


def make(folder: Path) -> Path:
    """Make an empty environment of this Python; return its interpreter."""
    subprocess.run([_UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    """Install distributions: as they were fetched for this one, where they were; else from the index."""
    if _pip(python, "install", "--offline", *what).returncode != 0:
        done = _pip(python, "install", *what)
        assert done.returncode == 0, done.stderr


def ask(python: Path, command: str) -> str:
    """Return what a command of pip's says, which must succeed."""
    done = _pip(python, command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pip(python: Path, command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_UV, "pip", command, "--quiet", "--python", python, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
