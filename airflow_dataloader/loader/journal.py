"""Where a load is, and what it has counted so far; kept even when the load fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.receipt import Receipt

#: What a load of several parts counts in each of them.
_SUMMED = (
    "rows_read",
    "rows_inserted",
    "rows_updated",
    "rows_deleted",
    "duplicate_keys",
    "null_keys",
    "null_cursors",
    "values_replaced",
    "source_rows",
)


class Journal:
    """Grows with the load: the phase it is in, and the receipt it will leave."""

    def __init__(self) -> None:
        self.phase = Phase.START
        self.receipt = Receipt()
        #: Whether the load may be waiting for its source.
        self.needs_source = True
        #: Whether what the load publishes replaces a table for good: older days stay from then on, and would
        #: be lost if it was replaced again.
        self.replaces_once = False

    def record(self, **fields: Any) -> None:
        """Set fields of the :class:`Receipt` by their names."""
        self.receipt = replace(self.receipt, **fields)

    def remark(self, text: str) -> None:
        """Add a sentence to the notes, which a person should read although nothing failed."""
        self.receipt = replace(self.receipt, notes=(*self.receipt.notes, text))

    @contextmanager
    def one_part(self) -> Iterator[None]:
        """Let the enclosed part of the load count from nothing; add what it counted to what was before."""
        before = self.receipt
        self.record(**dict.fromkeys(_SUMMED))
        try:
            yield
        finally:
            self.record(
                **{name: _sum(getattr(before, name), getattr(self.receipt, name)) for name in _SUMMED}
            )

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let the enclosed part of the load count for itself; its remarks, seconds and commit stay."""
        before = self.receipt
        try:
            yield
        finally:
            now = self.receipt
            self.receipt = replace(
                before,
                notes=now.notes,
                seconds=now.seconds,
                target_version=now.target_version,
                committed_by=now.committed_by,
            )

    @contextmanager
    def without_source(self) -> Iterator[None]:
        """Tell that the enclosed part works with what the load has read, and asks the source nothing."""
        self.needs_source, outer = False, self.needs_source
        try:
            yield
        finally:
            self.needs_source = outer

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Be in ``phase``; count its seconds when it ends well, stay in it when it does not."""
        outer, self.phase = self.phase, phase
        begun = time.monotonic()
        yield
        spent = dict(self.receipt.seconds)
        spent[phase] = round(spent.get(phase, 0.0) + time.monotonic() - begun, 3)
        self.receipt = replace(self.receipt, seconds=spent)
        self.phase = outer


def _sum(before: int | None, now: int | None) -> int | None:
    return now if before is None else before + (now or 0)
