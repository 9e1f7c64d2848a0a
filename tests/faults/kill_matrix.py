"""Which loads are killed at which moment, and the page that says so; ``make faults`` writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from airflow_dataloader.loader.observer import Moment
from tests.faults.victim import CLAIMED

#: What a test that ends well says of itself.
PROPERTY = "killed"
PAGE = Path(__file__).parents[2] / "docs" / "kill-matrix.md"

#: Not a moment of the loader's own either: a reader stands in the middle of its table.
READING = "reading"

STRATEGIES = (
    "full",
    "incremental",
    "append_only",
    "rolling",
    "rolling keep",
    "check_and_load",
    "chunked_backfill",
)
MOMENTS = (
    CLAIMED,
    *(str(moment) for moment in (Moment.STARTED, Moment.CONNECTED, Moment.PLANNED)),
    READING,
    *(str(moment) for moment in (Moment.STAGED, Moment.PUBLISHING, Moment.PUBLISHED, Moment.CHUNKED)),
    str(Moment.SETTLING),
)
#: Moments that a strategy never reaches: some stage nothing, and only one works in chunks.
_NEVER = {(strategy, Moment.CHUNKED) for strategy in STRATEGIES[:-1]} | {
    ("full", Moment.STAGED),
    ("rolling", Moment.STAGED),
}
#: A first load takes the place of the whole table, and stages nothing either.
_NOT_FIRST = {("rolling keep", Moment.STAGED)}


class Kill(NamedTuple):
    """A load that is killed."""

    strategy: str
    moment: str
    #: Whether the target does not exist yet.
    first: bool

    @property
    def told(self) -> bool:
        """Whether the load tells its observer of the moment, or a victim its test."""
        return self.moment != READING

    @property
    def finalising(self) -> bool:
        """Whether all chunks wait in a later backfill's stage, about to replace the target."""
        return self.strategy == "chunked_backfill" and self.moment == Moment.PUBLISHING and not self.first

    @property
    def committed(self) -> bool:
        """Whether the load has committed to its target by then."""
        chunked = self.strategy == "chunked_backfill" and self.moment == Moment.CHUNKED
        # The chunks of a later backfill wait in a stage.
        return self.moment in (Moment.PUBLISHED, Moment.SETTLING) or (chunked and self.first)


def reached(strategy: str) -> Iterable[str]:
    """Return the moments of a strategy's loads."""
    return (moment for moment in MOMENTS if (strategy, moment) not in _NEVER)


KILLS = tuple(
    Kill(strategy, moment, first)
    for strategy in STRATEGIES
    for moment in reached(strategy)
    for first in (True, False)
    if not first or (strategy, moment) not in _NOT_FIRST
)

_HEAD = """# Kill matrix

Written by `make faults` when every load in it was killed and all was well afterwards. Each field stands for
two loads, the first into its target and a later one: the loader's process gets SIGKILL at that moment, its
lease ends, `reap` settles it as Failed, the source changes, and the row is loaded again. Then target equals
source row by row, no commit is repeated, every load has ended once, no staging table is left, and a load in
peace makes one commit at most. *reading* is in the middle of a table, whose last rows the source holds back.

- **read**: the next load reads the same window again, behind a fence if the dead one had started.
- **adopted**: the next load fences, finds the dead one's commit, and goes on from its watermark.
- **adopted / read**: the chunks of a first backfill are the target's own; those of a later one wait in a
  stage, where the next load finds the ones that are there.
- **read / resumed**: a later backfill publishes once, when all chunks wait in its stage; the next load finds
  them there, and replaces the target.
- **–**: loads of this strategy have no such moment.
"""


def page(killed: Collection[Kill]) -> str:
    """Return the page of these kills."""
    rows = [
        f"| `{strategy}` | {' | '.join(_field(strategy, moment, killed) for moment in MOMENTS)} |"
        for strategy in STRATEGIES
    ]
    titles = f"| killed when | {' | '.join(MOMENTS)} |"
    return "\n".join((_HEAD, titles, "|---" * (len(MOMENTS) + 1) + "|", *rows)) + "\n"


def _field(strategy: str, moment: str, killed: Collection[Kill]) -> str:
    fates = [
        _fate(kill)
        for kill in (Kill(strategy, moment, True), Kill(strategy, moment, False))
        if kill in killed
    ]
    return " / ".join(dict.fromkeys(fates)) or "–"


def _fate(kill: Kill) -> str:
    if kill.finalising:
        return "resumed"
    return "adopted" if kill.committed else "read"
