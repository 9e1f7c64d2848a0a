"""``jars.toml``: which jars there are, and what they must be, byte for byte."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError

_FILE = Path(__file__).with_name("jars.toml")


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One jar of the manifest."""

    name: str
    #: Jars that are of use only together.
    group: str
    #: ``organisation:artifact:version`` as Maven repositories know it.
    coordinate: str
    #: Maven's classifier, or None for the main jar.
    classifier: str | None = None
    bytes: int
    #: Hexadecimal.
    sha256: str
    #: SPDX expression.
    licence: str

    @property
    def file_name(self) -> str:
        """Name of the file, its version included."""
        _, artifact, version = self.coordinate.split(":")
        return "-".join(part for part in (artifact, version, self.classifier) if part) + ".jar"

    def is_at(self, path: Path) -> bool:
        """Whether the file at ``path`` is this very jar."""
        if not path.is_file() or path.stat().st_size != self.bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def manifest() -> tuple[Jar, ...]:
    """Return every jar, in the manifest's order."""
    return tuple(Jar(**entry) for entry in tomllib.loads(_FILE.read_text())["jar"])


def select(names: Iterable[str]) -> list[Jar]:
    """Return the jars whose name or group is in ``names``, each once, in the manifest's order."""
    wanted, every = set(names), manifest()
    known = {jar.name for jar in every} | {jar.group for jar in every}
    if unknown := wanted - known:
        raise ConfigurationError(
            f"The manifest has no jar called {', '.join(sorted(unknown))}.",
            fix=f"use one of {', '.join(sorted(known))}",
        )
    return [jar for jar in every if wanted & {jar.name, jar.group}]
