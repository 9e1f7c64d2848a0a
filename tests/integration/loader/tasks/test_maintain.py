"""Maintenance, and the sweep after a task's loads, where one schema cannot be looked into."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import sqlalchemy

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.maintenance import maintain_rows
from airflow_dataloader.loader.stage_sweep import sweep_after
from tests.factories import add_source
from tests.integration.control.drive import due_row, start_now


class Catalog:
    """As much of an engine as finds nothing: in one schema because it may not look."""

    def __init__(self, closed: str) -> None:
        self._closed = closed
        self.looked: list[str] = []
        self.searched: list[str] = []

    def stages(self, beside: TargetName) -> list[TargetName]:
        if beside.schema == self._closed:
            raise ConfigurationError("No right to look.", fix="grant it")
        self.searched.append(beside.schema)
        return []

    def upkeep(self, target: TargetName, since: datetime) -> None:
        self.looked.append(target.schema)


def test_a_schema_that_is_closed_keeps_no_other_and_no_target(control: sqlalchemy.Engine) -> None:
    add_source(control, "shop")
    for schema in ("closed", "open"):
        row = due_row(control, destination_table_schema=schema, optimize_every_hours=24)
        start_now(control, row)
    catalog, said = Catalog("closed"), list[str]()
    assert maintain_rows(control, cast("Engine", catalog), None, report=said.append) is False
    (line,) = said
    assert line.startswith("Stages beside ")
    assert line.endswith(" could not be looked for: No right to look. Fix: grant it.")
    assert catalog.looked == ["closed", "open"]


def test_a_schema_that_is_closed_does_not_end_the_sweep_after_loads(control: sqlalchemy.Engine) -> None:
    add_source(control, "shop")
    loads = [
        start_now(control, due_row(control, destination_table_schema=schema)).metadata_id
        for schema in ("closed", "open")
    ]
    catalog = Catalog("closed")
    sweep_after(control, cast("Engine", catalog), loads)
    assert catalog.searched == ["open"]
