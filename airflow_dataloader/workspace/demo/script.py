"""What the demo shows: everything is loaded, the shop changes, what changed is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_dataloader.workspace.demo.loads import Load
from airflow_dataloader.workspace.demo.reporter import Reporter


@dataclass(frozen=True, kw_only=True)
class Line:
    """One table in one round."""

    load: Load
    equal: bool


@dataclass(frozen=True, kw_only=True)
class Round:
    """Every table loaded once."""

    title: str
    lines: Sequence[Line]

    @property
    def equal(self) -> bool:
        """Whether every target equals its source."""
        return bool(self.lines) and all(line.equal for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class DemoScript:
    """Two rounds, and a change of the source between them."""

    load_first: Callable[[], list[Load]]
    load_again: Callable[[], list[Load]]
    #: Says of each load whether its target equals its source.
    compare: Callable[[Sequence[Load]], list[bool]]
    change: Callable[[], None]
    reporter: Reporter

    def run(self) -> list[Round]:
        """Return both rounds."""
        first = self._round("First load", "Loading everything", self.load_first)
        self.reporter.step("Changing rows in the shop")
        self.change()
        second = self._round("After changes in the shop", "Loading what changed", self.load_again)
        return [first, second]

    def _round(self, title: str, step: str, load: Callable[[], list[Load]]) -> Round:
        self.reporter.step(step)
        loads = load()
        self.reporter.step("Comparing targets with their sources")
        lines = [Line(load=load, equal=equal) for load, equal in zip(loads, self.compare(loads), strict=True)]
        return Round(title=title, lines=lines)
