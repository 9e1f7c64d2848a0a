"""What `make faults` prints at its end: by file, how many tests passed and failed, and their minutes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class _File:
    passed: int = 0
    failed: set[str] = field(default_factory=set)
    seconds: float = 0.0


class Figures:
    """Counts the reports of a run, in whatever order its processes send them."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = defaultdict(_File)

    def add(self, report: pytest.TestReport) -> None:
        """Count one phase of one test; one that fails in its setup or teardown has failed, too."""
        file = self._files[report.nodeid.partition("::")[0]]
        file.seconds += report.duration
        file.passed += report.when == "call" and report.passed
        if report.failed:
            file.failed.add(report.nodeid)

    def lines(self) -> Iterator[str]:
        """Yield a table: minutes are those of all processes together."""
        width = max([len(name) for name in self._files], default=0)
        yield f"{'':{width}} {'passed':>7} {'failed':>7} {'minutes':>8}"
        for name, file in sorted(self._files.items()):
            yield f"{name:{width}} {file.passed:7} {len(file.failed):7} {file.seconds / 60:8.1f}"
