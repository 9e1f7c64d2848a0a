"""The configuration of one load, frozen by its claim and read by its loader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_dataloader.core.chunk_size import parse_chunk_size
from airflow_dataloader.core.config_hash import content_hash, watermark_hash
from airflow_dataloader.core.config_snapshot import choice, flag, secret_scope, split_columns, text
from airflow_dataloader.core.distance import parse_distance
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.problems import problems
from airflow_dataloader.core.row_label import row_label
from airflow_dataloader.core.strategy import (
    REPLACES,
    CursorType,
    DeletePolicy,
    EmptySourcePolicy,
    LoadColumnsPolicy,
    NullCursorPolicy,
    RollingRetention,
    SchemaPolicy,
    Strategy,
    ValuePolicy,
)


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """A table's name at its source; parts that the source does not have are None."""

    catalog: str | None
    schema: str | None
    name: str | None

    def __str__(self) -> str:
        """Return the dotted name, for messages only."""
        return ".".join(part for part in (self.catalog, self.schema, self.name) if part)


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """Everything that decides what a load does. Made from a snapshot; see :meth:`from_snapshot`."""

    config_id: int
    db_config_key: str
    db_type: str
    #: Connection key to secret name, and the scope that holds the secrets.
    secret_names: Mapping[str, str]
    secret_scope: str
    connection_options: Mapping[str, str]
    source: SourceTable
    query: str | None
    target: TargetName
    strategy: Strategy
    load_full: bool
    incremental_column: str | None
    #: None: taken from the source's own type.
    incremental_type: CursorType | None
    #: Watermark at the claim, as the source's own text.
    incremental_value: str | None
    #: :func:`watermark_hash` of the configuration that it was reached with; None: a person set it.
    watermark_of: str | None
    #: Overlap with the last window: a time span, or a number for integer and decimal cursors; None: default.
    lookback: timedelta | int | None
    #: Of a backfill's chunks: a time span, or a number of rows; None: default.
    chunk_size: timedelta | int | None
    #: Each column once, however often the row names it.
    primary_key: tuple[str, ...]
    #: Date or timestamp column of a rolling load, and how many days of it the load keeps fresh.
    rolling_column: str | None
    rolling_days: int | None
    rolling_retention: RollingRetention
    #: IANA name of the zone in which days begin and crons are read.
    load_timezone: str
    num_partitions: int | None
    partition_column: str | None
    lower_bound: str | None
    upper_bound: str | None
    null_cursor_policy: NullCursorPolicy
    schema_policy: SchemaPolicy
    value_policy: ValuePolicy
    empty_source_policy: EmptySourcePolicy
    #: Largest share of the target's rows that a load may take away; None: any.
    shrink_guard_percent: int | None
    delete_policy: DeletePolicy
    #: Whether this load looks for rows that the source no longer has.
    delete_scan: bool
    load_columns_policy: LoadColumnsPolicy
    #: Whether a new target is clustered by the key.
    cluster_by_key: bool
    max_runtime_minutes: int
    #: sha256 over the fields that decide content, hexadecimal.
    content_hash: str
    snapshot: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> LoadConfig:
        """Build the configuration; :func:`problems` must find nothing wrong with the snapshot."""
        found = problems(snapshot)
        if found:
            raise ValueError("; ".join(str(problem) for problem in found))
        cursor_type = snapshot.get("incremental_type")
        return cls(
            config_id=int(snapshot["config_id"]),
            db_config_key=snapshot["db_config_key"],
            db_type=snapshot["db_type"],
            secret_names=dict(snapshot["db_config_value"]),
            secret_scope=secret_scope(snapshot),
            connection_options={k: str(v) for k, v in (snapshot.get("connection_options") or {}).items()},
            source=SourceTable(
                catalog=text(snapshot, "source_table_catalog"),
                schema=text(snapshot, "source_table_schema"),
                name=text(snapshot, "source_table_name"),
            ),
            query=text(snapshot, "query"),
            target=TargetName(
                catalog=snapshot["target_catalog"],
                schema=snapshot["target_schema"],
                table=snapshot["target_table"],
            ),
            strategy=Strategy(snapshot["load_strategy"]),
            load_full=flag(snapshot.get("load_full")),
            incremental_column=text(snapshot, "incremental_column"),
            incremental_type=CursorType(cursor_type) if cursor_type else None,
            incremental_value=snapshot.get("incremental_value"),
            watermark_of=snapshot.get("watermark_of"),
            lookback=parse_distance(text(snapshot, "lookback")),
            chunk_size=parse_chunk_size(text(snapshot, "chunk_size")),
            primary_key=_each_once(split_columns(snapshot.get("primary_key_cols"))),
            rolling_column=text(snapshot, "rolling_column"),
            rolling_days=snapshot.get("rolling_days"),
            rolling_retention=choice(RollingRetention, snapshot, "rolling_retention", "window"),
            load_timezone=text(snapshot, "load_timezone") or "UTC",
            num_partitions=snapshot.get("num_partitions"),
            partition_column=text(snapshot, "partition_column"),
            lower_bound=text(snapshot, "lower_bound"),
            upper_bound=text(snapshot, "upper_bound"),
            null_cursor_policy=choice(NullCursorPolicy, snapshot, "null_cursor_policy", "include"),
            schema_policy=choice(SchemaPolicy, snapshot, "schema_policy", "evolve"),
            value_policy=choice(ValuePolicy, snapshot, "value_policy", "fail"),
            empty_source_policy=choice(EmptySourcePolicy, snapshot, "empty_source_policy", "fail"),
            shrink_guard_percent=snapshot.get("shrink_guard_percent"),
            delete_policy=choice(DeletePolicy, snapshot, "delete_policy", "ignore"),
            delete_scan=bool(snapshot.get("delete_scan")),
            load_columns_policy=choice(LoadColumnsPolicy, snapshot, "load_columns_policy", "none"),
            cluster_by_key=bool(snapshot.get("cluster_by_key")),
            max_runtime_minutes=int(snapshot.get("max_runtime_minutes") or 180),
            content_hash=content_hash(snapshot),
            snapshot=snapshot,
        )

    @property
    def watermark_hash(self) -> str:
        """Return the digest that a watermark of this configuration is kept with."""
        return watermark_hash(self.snapshot)

    @property
    def ordered_columns(self) -> tuple[str, ...]:
        """Return the columns whose order decides what is read: they keep a type that has one."""
        return tuple(name for name in (self.incremental_column, self.days_column) if name)

    @property
    def days_column(self) -> str | None:
        """Return the column whose last days a load reads, and nothing else; None: it does not go by days."""
        return self.rolling_column if self.strategy is Strategy.ROLLING else None

    @property
    def keeps_older_days(self) -> bool:
        """Return whether rows that are older than the days that a load reads stay at the target."""
        return self.strategy is Strategy.ROLLING and self.rolling_retention is RollingRetention.KEEP

    @property
    def always_replaces(self) -> bool:
        """Return whether the load puts a whole new table in the target's place, whatever that holds."""
        if self.strategy is Strategy.ROLLING and self.rolling_retention is RollingRetention.WINDOW:
            return True
        return self.load_full or self.strategy in REPLACES

    @property
    def label(self) -> str:
        """Name the row in a message: its id, its source and its target."""
        return row_label(self.snapshot)


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without those that came before in whatever case: both are one column."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.casefold(), name)
    return tuple(first.values())
