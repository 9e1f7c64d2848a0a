"""What a source and its target are compared by: columns, key, and the parts that both cut their rows into."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dataloader.core.encoding import Family, family, shown
from airflow_dataloader.core.plan import PlannedColumn


@dataclass(frozen=True, kw_only=True)
class Parts:
    """How both sides cut their rows into parts, numbered from 0.

    Ranges of a key column, each beginning at a cut; NULL lies in the first. Or by hash: the first
    :data:`~airflow_dataloader.core.encoding.DIGITS` digits of the sha256 of the key's text, or of the row's
    where there is no key, modulo the number of parts.
    """

    count: int
    #: Column that the parts are ranges of; None: by hash.
    column: PlannedColumn | None = None
    #: Canonical texts of the values that the second and later ranges begin with, ascending.
    cuts: tuple[str, ...] = ()

    def name(self, number: int) -> str:
        """Return what a person calls the part."""
        if self.count == 1:
            return "all rows"
        if self.column is None:
            return f"part {number + 1} of {self.count} by hash"
        kind = family(self.column.type) or Family.TEXT
        low = shown(self.cuts[number - 1], kind) if number > 0 else None
        high = shown(self.cuts[number], kind) if number < len(self.cuts) else None
        begin = f" from {low}" if low is not None else ""
        return f"{self.column.name}{begin}" + (f" to below {high}" if high is not None else " on")


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What of a row is compared, in one order on both sides."""

    columns: tuple[PlannedColumn, ...]
    #: Those of them that name a row; empty: the whole row is its own name.
    keys: tuple[PlannedColumn, ...]
    parts: Parts


@dataclass(frozen=True, kw_only=True)
class PartDigest:
    """What one part holds, whatever the order: its rows, and the sums of the two halves of their hashes."""

    rows: int
    first: int
    second: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A key, or a row without one, that the sides do not hold alike."""

    #: Canonical texts of the key's columns; without a key the row's sha256.
    key: tuple[str | None, ...]
    source_rows: int
    target_rows: int
    #: Names of the columns that differ, where both sides hold the key equally often.
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PartDifferences:
    """How one part differs."""

    number: int
    #: Keys that only the source, only the target, or both hold, but not alike.
    missing: int
    extra: int
    different: int
    #: The first of them.
    samples: tuple[Difference, ...]
