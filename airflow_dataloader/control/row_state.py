"""How rows stand now, for those who look at their tables and claim nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.row_label import row_label
from airflow_dataloader.core.status import LIVE

_STATES = text("""
SELECT t.config_id, t.load_epoch, t.last_status, control.snapshot(t, s) AS snapshot,
    (SELECT id FROM control.installation) AS installation,
    EXISTS (SELECT FROM control.backfill b
        WHERE b.config_id = t.config_id AND b.status = 'open') AS backfilling
FROM control.table_control t
LEFT JOIN control.table_control_dbconfig s ON s.db_config_key = t.db_config_key
WHERE t.config_id = ANY (:config_ids)""")


@dataclass(frozen=True, kw_only=True)
class RowState:
    """A row as a claim would freeze it now, and where it is in its loads."""

    config_id: int
    snapshot: Mapping[str, Any]
    epoch: int
    #: The control database's own id: part of the writer's name at the target.
    installation: str
    last_status: str | None
    #: A backfill has begun and not ended.
    backfilling: bool

    @property
    def label(self) -> str:
        """Name the row in a message."""
        return row_label(self.snapshot)

    @property
    def live(self) -> bool:
        """Whether a load of the row is under way."""
        return self.last_status in LIVE


def row_states(engine: Engine, config_ids: Sequence[int]) -> list[RowState]:
    """Return the rows of these ids in their order; those that do not exist are not among them."""
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(_STATES, {"config_ids": list(config_ids)}, execution_options=LAST).all()
    rows = {
        row.config_id: RowState(
            config_id=row.config_id,
            snapshot=row.snapshot,
            epoch=row.load_epoch,
            installation=row.installation,
            last_status=row.last_status,
            backfilling=row.backfilling,
        )
        for row in found
    }
    return [rows[config_id] for config_id in config_ids if config_id in rows]
