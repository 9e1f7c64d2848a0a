"""The maintenance task: ``maintain_tables.py [<config_id> …]``; without an id, whatever was ever loaded."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.loader.maintenance import maintain_rows
from airflow_dataloader.loader.tasks import process


def main(arguments: Sequence[str]) -> int:
    """Maintain the targets of the rows named by ``arguments``; return 0, 130 if interrupted, else 1."""
    return process.run(_maintain, arguments)


def _maintain(arguments: Sequence[str]) -> bool:
    rows = [process.row_id(argument) for argument in arguments] or None
    with process.connections() as connected:
        return maintain_rows(connected.control, connected.engine, rows, report=print)
