"""What a comparison found, and how it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_dataloader.core.comparison import Compared, Difference, PartDifferences
from airflow_dataloader.core.encoding import Family, family, shown

#: Parts that are named; of the others only their number.
PARTS_NAMED = 10
#: Keys of a part that are named.
KEYS_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How a row's source and target compare."""

    config_id: int
    label: str
    #: Why they could not be compared; None: they were.
    reason: str | None = None
    #: Columns that are not alike, one sentence each.
    columns: tuple[str, ...] = ()
    #: Parts that are not alike.
    parts: tuple[PartDifferences, ...] = ()
    compared: Compared | None = field(default=None, repr=False)
    source_rows: int | None = None
    target_rows: int | None = None
    #: Rows of the source that the next load brings: they were not compared.
    later_rows: int | None = None
    target_version: int | None = None
    #: Sentences that a person should read although they are no difference.
    notes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether everything that was to be compared is the same."""
        return self.reason is None and not self.columns and not self.parts

    @property
    def outcome(self) -> str:
        """Return in a word or two how it ended."""
        if self.reason is not None:
            return "not comparable"
        return "equal" if self.equal else "different"


def lines(verified: Verified) -> Iterator[str]:
    """Yield what there is to say beyond the outcome: no value of a row but its key."""
    if verified.reason is not None:
        yield verified.reason
    yield from verified.columns
    compared = verified.compared
    if compared is not None:
        for part in verified.parts[:PARTS_NAMED]:
            yield f"{compared.parts.name(part.number)}: {_counts(part)}"
            for sample in part.samples[:KEYS_NAMED]:
                yield f"  {_named(sample, compared)}: {_how(sample)}"
            unnamed = part.missing + part.extra + part.different - len(part.samples[:KEYS_NAMED])
            if unnamed > 0:
                yield f"  and {unnamed:,} more"
    if len(verified.parts) > PARTS_NAMED:
        rest = verified.parts[PARTS_NAMED:]
        total = sum(part.missing + part.extra + part.different for part in rest)
        yield f"and {total:,} more in {len(rest)} other parts"
    yield from verified.notes


def _counts(part: PartDifferences) -> str:
    counted = (
        (part.missing, "missing at the target"),
        (part.extra, "only at the target"),
        (part.different, "different"),
    )
    return ", ".join(f"{number:,} {what}" for number, what in counted if number)


def _named(sample: Difference, compared: Compared) -> str:
    if not compared.keys:
        return f"row with sha256 {sample.key[0]}"
    values = zip(compared.keys, sample.key, strict=True)
    return ", ".join(
        f"{column.name} = {shown(text, family(column.type) or Family.TEXT)}" for column, text in values
    )


def _how(sample: Difference) -> str:
    if sample.source_rows == sample.target_rows:
        return f"different in {', '.join(sample.columns)}" if sample.columns else "different"
    if sample.source_rows + sample.target_rows == 1:
        return "missing at the target" if sample.source_rows else "only at the target"
    return f"{sample.source_rows} times at the source, {sample.target_rows} times at the target"
