"""What a load proves about itself: counted, not estimated. Stored with every load."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """``historical_metadata.receipt``, as JSON. None means: not counted by this load."""

    rows_read: int | None = None
    rows_inserted: int | None = None
    rows_updated: int | None = None
    rows_deleted: int | None = None
    #: Rows read that the target held already, where the load looked for them.
    rows_present: int | None = None
    #: Rows left out because a row with the same key and a newer cursor was read.
    duplicate_keys: int | None = None
    #: A few of those keys, column to value as text.
    duplicate_sample: tuple[dict[str, str], ...] = ()
    #: Rows left out because a key column is NULL.
    null_keys: int | None = None
    #: A few of those rows: key columns and cursor, column to value as text or None.
    null_key_sample: tuple[dict[str, str | None], ...] = ()
    #: Rows read whose cursor is NULL.
    null_cursors: int | None = None
    #: Values that value_policy ``null`` replaced.
    values_replaced: int | None = None
    #: The source's own count of the window, in the snapshot that was read.
    source_rows: int | None = None
    #: Bounds of the window as the source's text, both included; None where open.
    low: str | None = None
    high: str | None = None
    #: What the source held at the watermark that this load reached, for the next check_and_load.
    boundary: dict[str, Any] | None = None
    #: What a scan for deleted rows found: ``keys`` at the source, ``null_keys`` among them, and of the
    #: target's rows ``held`` (not marked), ``gone``, ``keyless`` (left alone), ``returned`` (unmarked now);
    #: ``missing``: keys that the target lacks, at least, but for rows that null_cursor_policy leaves out.
    delete_scan: dict[str, int] | None = None
    #: ``exported`` (all partitions in one snapshot) or ``none``.
    snapshot: str | None = None
    partitions: int | None = None
    target_version: int | None = None
    #: Load that made that version, where it was not this one, which found everything done. Its counts are on
    #: record with it, and are not repeated here.
    committed_by: int | None = None
    #: Table version of the target fence, where this load made one.
    fence_version: int | None = None
    #: The target's columns, name to type, as the load leaves them.
    columns: dict[str, str] | None = None
    #: Whether they are others than the row's last load that succeeded had left.
    columns_changed: bool | None = None
    #: Columns of the source that schema_policy ``ignore`` leaves out.
    columns_ignored: tuple[str, ...] = ()
    #: Columns of the target that the source does not have any more.
    columns_gone: tuple[str, ...] = ()
    #: Load whose commit this load found and adopted.
    adopted: int | None = None
    #: Seconds spent in each phase.
    seconds: dict[str, float] = field(default_factory=dict)
    #: Remarks: what a person should know although nothing failed.
    notes: tuple[str, ...] = ()

    @property
    def rows_published(self) -> int:
        """Rows inserted and updated: the documents' ``rows_processed``."""
        return (self.rows_inserted or 0) + (self.rows_updated or 0)

    def as_json(self) -> dict[str, Any]:
        """Return what is known, for a JSON column."""
        body = asdict(self)
        return {key: value for key, value in body.items() if value not in (None, (), {})}
