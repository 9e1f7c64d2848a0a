"""What the source held at a watermark, kept in a receipt: by it a later load knows that nothing changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.loader.active_load import ActiveLoad

#: Table version at which the target held what the boundary says.
_VERSION = "version"


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """The source at a watermark, as this load sees it."""

    #: Rows beyond the watermark.
    newer: int
    #: Everything that must be the same at the next load.
    facts: dict[str, Any]


def ask_boundary(load: ActiveLoad, watermark: str) -> Boundary:
    """Ask the source, in the load's snapshot, what it holds at ``watermark``."""
    config = load.config
    with load.journal.during(Phase.PLAN):
        cursor = load.dialect.cursor(load.described, load.columns, config)
        found = load.dialect.fingerprint(
            load.session.query,
            relation=load.relation,
            described=load.described,
            cursor=cursor,
            watermark=watermark,
            null_policy=config.null_cursor_policy,
        )
    columns = repr([(column.name, column.type, column.select) for column in load.columns])
    facts = {
        "watermark": watermark,
        "lookback": str(cursor.lookback),
        "rows": found.rows,
        "digest": found.digest,
        "watermark_hash": config.watermark_hash,
        "content_hash": config.content_hash,
        "columns": hashlib.sha256(columns.encode()).hexdigest(),
    }
    return Boundary(newer=found.newer, facts=facts)


def is_unchanged(load: ActiveLoad, low: str) -> bool:
    """Return whether a window from ``low`` on can bring nothing that the target has not got.

    Only if the last load that succeeded said so, was the last to publish, and its watermark is the row's.
    Never while the watermark lies beyond the source's clock: rows that are written now lie below it.
    """
    last = (load.started.last_receipt or {}).get("boundary")
    if not last or load.config.watermark_of != load.config.watermark_hash:
        return False
    if last.get(_VERSION) is None or last[_VERSION] != _published(load):
        # Another load has published since, and was not settled: what it brought is not in the receipt.
        return False
    boundary = ask_boundary(load, low)
    if boundary.newer or boundary.facts | {_VERSION: last[_VERSION]} != last:
        return False
    cursor = load.dialect.cursor(load.described, load.columns, load.config)
    return not load.dialect.is_from_future(load.session.query, cursor, low)


def record_boundary(load: ActiveLoad, boundary: Boundary) -> None:
    """Put what the source held into the receipt, with the version that now holds the same."""
    if not load.snapshot.shared:
        # The rows were read by other connections, a little later than the question was asked.
        return
    version = load.journal.receipt.target_version
    load.journal.record(
        boundary=boundary.facts | {_VERSION: _published(load) if version is None else version}
    )


def carry_over(load: ActiveLoad) -> None:
    """Put the last load's boundary into this receipt: it still is true."""
    load.journal.record(boundary=(load.started.last_receipt or {})["boundary"])


def keep_boundary(load: ActiveLoad, version: int) -> None:
    """Let a boundary in the receipt hold for the version that a scan for deleted rows has made."""
    boundary = load.journal.receipt.boundary
    if boundary is not None:
        load.journal.record(boundary=boundary | {_VERSION: version})


def _published(load: ActiveLoad) -> int | None:
    """Return the table version of the row's newest publishing commit."""
    newest = load.target.newest_published if load.target else None
    return None if newest is None else newest.table_version
