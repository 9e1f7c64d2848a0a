"""What rows and loads should be like: a model in plain Python, kept beside the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control.claim import Claimed
from airflow_dataloader.control.cron import next_slot
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.times import LATEST
from airflow_dataloader.exceptions import ConfigurationError

#: Columns of a row that both people and loads write.
SHARED = ("incremental_value", "load_strategy", "load_full")

LIVE = ("Queued", "In Progress")
FINAL = ("Succeeded", "Failed", "Cancelled")

#: When somebody edits a schedule. Slots are far away, so that none comes round while a test runs.
UNREADABLE = "often"
CRONS = (None, "0 0 29 2 *", "30 12 1 1 *", UNREADABLE)
ZONES = ("UTC", "America/New_York", "Berlin")

#: What a row may be like; the last two cannot be loaded.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with a cron": {"load_cron": "0 0 29 2 *"},
    "incremental": {
        "load_strategy": "incremental",
        "incremental_column": "c",
        "primary_key_cols": "k",
        "incremental_value": "0",
    },
    "bad strategy": {"load_strategy": "upsert"},
    "bad cron": {"load_cron": UNREADABLE},
}

_ROWS = text("""
SELECT config_id, last_status, load_epoch, retry_count, incremental_value, load_strategy, load_full, priority,
    is_active, load_cron, load_timezone, next_load_date_time,
    coalesce(next_load_date_time <= clock_timestamp(), false) AS due
FROM control.table_control""")

_SOURCES = text("""
SELECT db_config_key, max_concurrent_loads AS room,
    coalesce(paused_until > clock_timestamp(), false) AS paused
FROM control.table_control_dbconfig""")

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
    active: bool = True
    #: ``load_cron`` and ``load_timezone``.
    schedule: tuple[str | None, str] = (None, "UTC")
    #: The earliest and the latest time that ``next_load_date_time`` may be, until it has been seen.
    slot: tuple[datetime, datetime] | None = None
    loads: list[ModelLoad] = field(default_factory=list)
    deleted: bool = False

    def __repr__(self) -> str:
        return f"row {self.config_id}"

    def switch(self, *, active: bool) -> None:
        """Be switched on or off; a row that is activated waits for its slot."""
        if active and not self.active:
            self.slot = None
        self.active = active

    def reschedule(self, load_cron: str | None, load_timezone: str) -> None:
        """Get another cron or zone, and lose the slot that the old ones gave."""
        if self.schedule != (load_cron, load_timezone):
            self.schedule, self.slot = (load_cron, load_timezone), None

    def arm(self, since: datetime, until: datetime) -> None:
        """See a claim, which gives a slot to whatever waits for one; made due is what cannot have one."""
        if self.active and not self.deleted and self.slot is None and self.schedule[0] is not None:
            self.slot = self._next(since) or since, self._next(until) or until

    def move_on(self, since: datetime, until: datetime) -> None:
        """Be claimed: the next slot is one of the cron's, later than the claim.

        Never, if nobody finds one in it; an hour later, if it is its zone that nobody here knows.
        """
        if self.schedule[0] is None:
            self.slot = None
        elif self.schedule[0] == UNREADABLE:
            self.slot = LATEST, LATEST
        else:
            hour = timedelta(hours=1)
            self.slot = self._next(since) or since + hour, self._next(until) or until + hour

    def _next(self, after: datetime) -> datetime | None:
        load_cron, load_timezone = self.schedule
        assert load_cron is not None
        try:
            return next_slot(load_cron, load_timezone, after)
        except ConfigurationError:
            return None

    def see_slot(self, seen: datetime | None) -> None:
        """Check ``next_load_date_time``; from now on it must stay as it is."""
        if self.slot is None or seen is None:
            assert seen is self.slot, f"{self}: slot {seen}"
            return
        assert self.slot[0] <= seen <= self.slot[1], f"{self}: slot {seen}"
        self.slot = seen, seen

    def claimed(self, metadata_id: int, airflow_run: str) -> ModelLoad:
        """Be queued, with a load of its own."""
        self.epoch, self.status = self.epoch + 1, "Queued"
        frozen = {name: self.values[name] for name in SHARED}
        load = ModelLoad(
            metadata_id=metadata_id, row=self, epoch=self.epoch, airflow_run=airflow_run, snapshot=frozen
        )
        self.loads.append(load)
        return load


@dataclass(eq=False)
class ModelLoad:
    """A load: who may still speak for it, and what it said."""

    metadata_id: int
    row: ModelRow
    epoch: int
    airflow_run: str
    #: Shared columns as the claim, or an adoption, froze them.
    snapshot: dict[str, Any]
    status: str = "Queued"
    nonce: str | None = None
    started: Started | None = None
    run: str | None = None
    #: A reap has given it a new epoch and not ended it yet.
    fenced: bool = False
    #: Times that were moved long ago, and not renewed since.
    aged: set[str] = field(default_factory=set)
    settled_by: str | None = None
    outcome_unknown: bool = False
    #: It fenced its target, or published to it, and the control database knows.
    paid: bool = False
    #: A later load found its commit and recorded it; that load has fenced the target.
    adopted: bool = False
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

    def may_be_reaped(self, ended_runs: set[str]) -> bool:
        """Whether there is any reason to give it up."""
        if self.status in FINAL:
            return False
        return bool(self.aged) or self.fenced or self.run in ended_runs or not self.owns_row

    def must_be_reaped(self) -> bool:
        """Whether the next reap has to give it up, whatever it can ask."""
        if self.status in FINAL or self.run is not None or not self.owns_row:
            return False
        if self.fenced:
            return "reaping_until" in self.aged
        reasons = {"lease_until"} if self.status == "Queued" else {"lease_until", "load_start_time"}
        return bool(self.aged & reasons)

    def end(self, status: str, settled_by: str) -> None:
        """Be over."""
        if self.owns_row:
            self.row.status = "Succeeded" if status == "Succeeded" else "Failed"
        self.status, self.settled_by = status, settled_by

    def adopt(self, attempt_id: int, watermark: str | None) -> None:
        """Take over an earlier attempt's commit, and its watermark if there is one."""
        for load in self.row.loads:
            if load.metadata_id == attempt_id:
                load.paid = load.adopted = True
        if watermark is not None:
            self.row.values["incremental_value"] = self.snapshot["incremental_value"] = watermark

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
            and not load.adopted
            and (load.settled_by != "loader" or load.outcome_unknown)
        ]


@dataclass(frozen=True)
class Picture:
    """The database at one moment."""

    rows: dict[int, Any]
    loads: dict[int, Any]
    sources: dict[str, Any]

    @classmethod
    def take(cls, engine: Engine) -> Picture:
        """Read everything."""
        with engine.connect() as connection:
            rows = {row.config_id: row for row in connection.execute(_ROWS)}
            loads = {load.id: load for load in connection.execute(_LOADS)}
            sources = {source.db_config_key: source for source in connection.execute(_SOURCES)}
            return cls(rows=rows, loads=loads, sources=sources)

    def newest(self, config_id: int) -> Any | None:
        """Return a row's newest load."""
        return next((load for load in reversed(self.loads.values()) if load.config_id == config_id), None)

    def live(self) -> Iterator[Any]:
        """Yield the loads that are not over."""
        return (load for load in self.loads.values() if load.load_status in LIVE)


def record_of(load: Any) -> dict[str, Any]:
    """Return what must never change once a load is over. A later load may add what it found at the target."""
    names = ("epoch", "load_status", "load_end_time", "log_message", "failure", "start_nonce")
    return {name: getattr(load, name) for name in names}


def check_rows(now: Picture, before: Picture) -> None:
    """Check that rows agree with their newest loads, and that no epoch went back."""
    for config_id, row in now.rows.items():
        if config_id in before.rows:
            assert row.load_epoch >= before.rows[config_id].load_epoch
        if row.last_status is None:
            continue
        newest = now.newest(config_id)
        assert newest is not None
        if row.last_status in LIVE:
            assert (newest.load_status, newest.epoch) == (row.last_status, row.load_epoch)
            assert newest.lease_until is not None or newest.reaping_until is not None
        else:
            wanted = {"Succeeded"} if row.last_status == "Succeeded" else {"Failed", "Cancelled"}
            assert newest.load_status in wanted


def check_loads(now: Picture, known: dict[int, ModelLoad]) -> None:
    """Check that a row has one live load at most, that epochs grow, and that what is over stays as it is."""
    owned = [
        load.config_id
        for load in now.live()
        if load.config_id in now.rows and now.rows[load.config_id].load_epoch == load.epoch
    ]
    assert len(owned) == len(set(owned)), "two live loads of one row"
    epochs: dict[int, int] = {}
    for metadata_id, load in now.loads.items():
        assert load.epoch > epochs.get(load.config_id, 0), "epochs grow"
        epochs[load.config_id] = load.epoch
        if load.load_status in LIVE:
            continue
        assert load.load_end_time is not None
        assert (load.lease_until, load.reaping_until) == (None, None)
        assert (load.load_status == "Succeeded") == (load.failure is None)
        model = known[metadata_id]
        model.record = model.record or record_of(load)
        assert record_of(load) == model.record, "a final record changed"


def note_reap(now: Picture, known: dict[int, ModelLoad], suspects: set[int]) -> set[int]:
    """Take over what a reap did, checking that it had a reason; return the loads that it ended."""
    ended = set()
    for load in known.values():
        seen = now.loads[load.metadata_id]
        if load.status in FINAL or (seen.load_status in LIVE and seen.epoch == load.row.epoch):
            continue
        if seen.load_status in LIVE and (load.fenced or not load.owns_row):
            continue
        assert load.metadata_id in suspects
        if load.owns_row and not load.fenced and seen.epoch != load.epoch:
            assert seen.epoch == load.row.epoch + 1
            load.row.epoch, load.fenced = seen.epoch, True
        if seen.load_status in FINAL:
            assert seen.load_status != "Succeeded"
            assert seen.failure["settled_by"] == "reap"
            ended.add(load.metadata_id)
            load.end(seen.load_status, "reap")
    return ended


def check_claim(
    now: Picture,
    before: Picture,
    model: dict[int, ModelRow],
    claimed: Sequence[Claimed],
    batch: int,
    room: int,
    only: Sequence[int] | None,
) -> None:
    """Check that a claim kept to its limits, and that within them it left nothing that it should take."""
    queued = [load for load in claimed if load.load_status == "Queued"]
    assert len(queued) <= batch
    running = Counter(model[row.config_id].source for row in before.rows.values() if row.last_status in LIVE)
    new = Counter(model[load.config_id].source for load in queued)
    assert not queued or running.total() + new.total() <= room
    for source, count in new.items():
        assert running[source] + count <= now.sources[source].room
        assert not now.sources[source].paused
    if len(queued) == batch or running.total() + new.total() >= room:
        return
    told = {load.config_id for load in claimed}
    for row in now.rows.values():
        wanted = row.due if only is None else row.config_id in only and row.config_id not in told
        if row.is_active and row.last_status not in LIVE and wanted:
            source = model[row.config_id].source
            assert now.sources[source].paused or (running + new)[source] >= now.sources[source].room
