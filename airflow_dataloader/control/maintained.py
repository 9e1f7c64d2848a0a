"""Rows whose targets are to be maintained, and whether a load holds one of them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.maintenance import MaintenancePolicy
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.row_label import row_label

#: A row that is not active is on hold, and so is its target: its people may be about to restore it.
_ROWS = text("""
SELECT t.config_id, t.source_table_catalog, t.source_table_schema, t.source_table_name,
    control.given(t.destination_table_catalog) AS target_catalog,
    coalesce(control.given(t.destination_table_schema), control.given(s.default_target_schema))
        AS target_schema,
    control.given(t.destination_table_name) AS target_table,
    t.optimize_every_hours, t.vacuum_every_hours
FROM control.table_control t LEFT JOIN control.table_control_dbconfig s ON s.db_config_key = t.db_config_key
WHERE t.is_active AND t.resolved_destination IS NOT NULL
    AND (t.optimize_every_hours IS NOT NULL OR t.vacuum_every_hours IS NOT NULL)
    AND (CAST(:rows AS bigint[]) IS NULL OR t.config_id = ANY (:rows))
ORDER BY t.config_id""")

#: Of whatever row: the target may have been another's when its load was claimed.
_LIVE = text("""
SELECT h.id
FROM control.historical_metadata h JOIN control.table_control t
    ON t.resolved_destination
        = control.destination(h.target_catalog, h.target_schema, NULL, h.target_table)
WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL AND t.config_id = :config_id
ORDER BY h.id LIMIT 1""")


@dataclass(frozen=True, kw_only=True)
class MaintainedRow:
    """A row with a policy of maintenance."""

    config_id: int
    #: Names the row in a message.
    label: str
    target: TargetName
    policy: MaintenancePolicy


def maintained_rows(engine: Engine, rows: Sequence[int] | None = None) -> list[MaintainedRow]:
    """Return the active rows that want their targets maintained, among ``rows`` or of all, by their ids."""
    values = {"rows": None if rows is None else list(rows)}
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(_ROWS, values, execution_options=LAST).mappings().all()
    return [_maintained(dict(row)) for row in found]


def live_load(engine: Engine, row: MaintainedRow) -> int | None:
    """Return the id of a load that is to write, or writes, to the row's target now."""
    with transaction(engine, readonly=True) as connection:
        values = {"config_id": row.config_id}
        found: int | None = connection.execute(_LIVE, values, execution_options=LAST).scalar_one_or_none()
    return found


def _maintained(row: Mapping[str, Any]) -> MaintainedRow:
    return MaintainedRow(
        config_id=row["config_id"],
        label=row_label(row),
        target=TargetName(
            catalog=row["target_catalog"], schema=row["target_schema"], table=row["target_table"]
        ),
        policy=MaintenancePolicy(
            optimize_every=_hours(row["optimize_every_hours"]), vacuum_every=_hours(row["vacuum_every_hours"])
        ),
    )


def _hours(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(hours=number)
