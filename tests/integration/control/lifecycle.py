"""What rows and loads should be like: a model in plain Python, kept beside the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control.lease import Started

#: Columns of a row that both people and loads write.
SHARED = ("incremental_value", "load_strategy", "load_full")

FINAL = ("Succeeded", "Failed", "Cancelled")

_ROWS = text("""
SELECT config_id, last_status, load_epoch, retry_count, incremental_value, load_strategy, load_full, priority
FROM control.table_control""")

_LOADS = text("""
SELECT id, config_id, epoch, load_status, start_nonce, lease_until, reaping_until, load_end_time, log_message,
    failure, rows_processed, adopted_by
FROM control.historical_metadata ORDER BY id""")


@dataclass(eq=False)
class ModelRow:
    """A row as people and loads have left it."""

    config_id: int
    source: str
    values: dict[str, Any]
    status: str | None = None
    epoch: int = 0
    retry_count: int = 0
    loads: list[ModelLoad] = field(default_factory=list)
    deleted: bool = False

    def __repr__(self) -> str:
        return f"row {self.config_id}"


@dataclass(eq=False)
class ModelLoad:
    """A load: who may still speak for it, and what it said."""

    metadata_id: int
    row: ModelRow
    epoch: int
    #: Shared columns as the claim, or an adoption, froze them.
    snapshot: dict[str, Any]
    status: str = "Queued"
    nonce: str | None = None
    started: Started | None = None
    run: str | None = None
    #: A reap has given it a new epoch and not ended it yet.
    fenced: bool = False
    #: Time was moved so that a reap has a reason.
    aged: bool = False
    settled_by: str | None = None
    outcome_unknown: bool = False
    #: It fenced its target, or published to it, and the control database knows.
    paid: bool = False
    #: Its final record, once there is one.
    record: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"load {self.metadata_id} of {self.row}"

    @property
    def alive(self) -> bool:
        """Whether its own loader is still listened to."""
        return self.status not in FINAL and not self.fenced and self.owns_row

    @property
    def owns_row(self) -> bool:
        """Whether the row is still this load's."""
        own = bool(self.row.loads) and self.row.loads[-1] is self
        return own and not self.row.deleted and self.row.status == self.status

    def end(self, status: str, settled_by: str) -> None:
        """Be over."""
        self.status, self.settled_by = status, settled_by
        if self.row.loads[-1] is self and not self.row.deleted:
            self.row.status = "Succeeded" if status == "Succeeded" else "Failed"

    def owed(self) -> list[int]:
        """Return the earlier loads whose writes may have landed unknown when this one starts."""
        earlier = [load for load in self.row.loads if load.metadata_id < self.metadata_id]
        payers = [load.metadata_id for load in earlier if load.paid]
        since = max(payers, default=0)
        return [
            load.metadata_id
            for load in earlier
            if load.metadata_id >= since
            and load.nonce is not None
            and load.status != "Succeeded"
            and (load.settled_by != "loader" or load.outcome_unknown)
        ]


@dataclass(frozen=True)
class Picture:
    """The database at one moment."""

    rows: dict[int, Any]
    loads: dict[int, Any]

    @classmethod
    def take(cls, engine: Engine) -> Picture:
        """Read everything."""
        with engine.connect() as connection:
            rows = {row.config_id: row for row in connection.execute(_ROWS)}
            return cls(rows=rows, loads={load.id: load for load in connection.execute(_LOADS)})

    def newest(self, config_id: int) -> Any | None:
        """Return a row's newest load."""
        return next((load for load in reversed(self.loads.values()) if load.config_id == config_id), None)

    def live(self) -> Iterator[Any]:
        """Yield the loads that are not over."""
        return (load for load in self.loads.values() if load.load_status not in FINAL)


def record_of(load: Any) -> dict[str, Any]:
    """Return what must never change once a load is over. A later load may add what it found at the target."""
    names = ("epoch", "load_status", "load_end_time", "log_message", "failure", "start_nonce")
    return {name: getattr(load, name) for name in names}
