"""What the source held at a watermark, kept in a receipt: by it a later load knows that nothing changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.loader.job import Job

#: Table version at which the target held what the boundary says.
_VERSION = "version"


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """The source at a watermark, as this load sees it."""

    #: Rows beyond the watermark.
    newer: int
    #: Everything that must be the same at the next load.
    facts: dict[str, Any]


def ask_boundary(job: Job, watermark: str) -> Boundary:
    """Ask the source, in the load's snapshot, what it holds at ``watermark``."""
    config = job.config
    with job.journal.during(Phase.PLAN):
        cursor = job.dialect.cursor(job.described, job.columns, config)
        found = job.dialect.fingerprint(
            job.session.query,
            relation=job.relation,
            described=job.described,
            cursor=cursor,
            watermark=watermark,
            null_policy=config.null_cursor_policy,
        )
    columns = repr([(column.name, column.type, column.select) for column in job.columns])
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


def is_unchanged(job: Job, low: str) -> bool:
    """Return whether a window from ``low`` on can bring nothing that the target has not got.

    Only if the last load that succeeded said so, was the last to publish, and its watermark is the row's.
    """
    last = (job.started.last_receipt or {}).get("boundary")
    if not last or job.config.watermark_of != job.config.watermark_hash:
        return False
    if last.get(_VERSION) is None or last[_VERSION] != _published(job):
        # Another load has published since, and was not settled: what it brought is not in the receipt.
        return False
    boundary = ask_boundary(job, low)
    return not boundary.newer and boundary.facts | {_VERSION: last[_VERSION]} == last


def note_boundary(job: Job, boundary: Boundary) -> None:
    """Put what the source held into the receipt, with the version that now holds the same."""
    if job.snapshot.id is None:
        # The rows were read by other connections, a little later than the question was asked.
        return
    version = job.journal.receipt.target_version
    job.journal.note(boundary=boundary.facts | {_VERSION: _published(job) if version is None else version})


def carry_over(job: Job) -> None:
    """Put the last load's boundary into this receipt: it still is true."""
    job.journal.note(boundary=(job.started.last_receipt or {})["boundary"])


def keep_boundary(job: Job, version: int) -> None:
    """Let a boundary in the receipt hold for the version that a scan for deleted rows has made."""
    boundary = job.journal.receipt.boundary
    if boundary is not None:
        job.journal.note(boundary=boundary | {_VERSION: version})


def _published(job: Job) -> int | None:
    """Return the table version of the row's newest publishing commit."""
    newest = job.target.newest_published if job.target else None
    return None if newest is None else newest.table_version
