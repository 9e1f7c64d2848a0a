"""What a loader reads: columns, relation, window and partitions, as values that any engine can execute.

The source's own SQL does all casting and all arithmetic on cursors, so that no value passes through a
Python number or date on its way. A column's ``wire`` form says how it travels, its ``type`` what it becomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_dataloader.core.fetch_size import UNMEASURED


class Wire(StrEnum):
    """How a column's value travels from the source to the engine."""

    #: As the driver gives it; driver and engine agree on the column's type.
    NATIVE = "native"
    #: Days since 1970-01-01 in the proleptic Gregorian calendar, an integer; becomes ``date``.
    EPOCH_DAYS = "epoch_days"
    #: Microseconds since 1970-01-01T00:00:00Z, an integer; becomes ``timestamp``.
    EPOCH_MICROS = "epoch_micros"
    #: Microseconds of the wall clock since 1970-01-01T00:00:00, an integer; becomes ``timestamp_ntz``.
    WALL_MICROS = "wall_micros"


@dataclass(frozen=True, kw_only=True)
class PlannedColumn:
    """One column: where it comes from, the SQL that selects it, and what it becomes at the target."""

    #: Name in the source's catalogue, as it is spelled there.
    source_name: str
    #: Name at the target (:func:`airflow_dataloader.core.names.column_name`).
    name: str
    #: SQL expression over the relation, in the source's dialect, identifiers quoted.
    select: str
    wire: Wire
    #: Delta type in lower case: ``bigint``, ``decimal(15,2)``, ``timestamp_ntz``, ``string`` …
    type: str
    #: The source's own type, for messages and receipts.
    source_type: str


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a source is and how to log in; values, not secret names. Never printed."""

    db_type: str
    host: str = field(repr=False)
    port: int = field(repr=False)
    database: str = field(repr=False)
    user: str = field(repr=False)
    password: str = field(repr=False)
    #: Allow-listed driver options from ``connection_options``.
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Marks every connection of this load at the source, so that it can be found and cancelled there.
    application_name: str = "airflow_dataloader"
    #: Seconds that a read waits for the next byte, unless ``options`` says.
    read_seconds: int = 10_800
    #: Whether a connection may name settings of its own as it begins; not every pooler lets it.
    takes_settings: bool = True
    #: What those who read beside the load's own connection set, by the source's names; of it a connection
    #: says as it begins what an engine's own questions depend on, which run nothing of ours before.
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class ReadPlan:
    """One read of a source. ``partitions`` are disjoint predicates that together cover the window."""

    endpoint: Endpoint
    columns: tuple[PlannedColumn, ...]
    #: FROM item in the source's dialect: a quoted table, or a parenthesised query with an alias.
    relation: str
    #: Predicate of the window over the relation, or None for everything.
    where: str | None = None
    #: Predicate of the rows that hold the window's newest cursor, which every look in the same snapshot must
    #: find again; None: there are none, or none that must be there.
    newest_rows: str | None = None
    #: Predicates, one a partition; empty for a single partition.
    partitions: tuple[str, ...] = ()
    #: What the relation was made of when they were planned
    #: (:class:`~airflow_dataloader.sources.model.Dependencies`).
    tables: frozenset[tuple[str, str, int]] = frozenset()
    #: SQL run first on every connection of the read: zone, styles, snapshot.
    session_init: str = ""
    #: SQL integer expression that counts the values of a row which value_policy ``null`` replaced, or None.
    replaced: str | None = None
    #: Rows that a connection asks for at once (:mod:`airflow_dataloader.core.fetch_size`).
    fetch_size: int = UNMEASURED

    def select_sql(self, partition: int | None = None) -> str:
        """Return the SELECT of one partition, or of the whole read.

        Columns are aliased ``c0``, ``c1`` … in plan order and the replaced-values count ``replaced``, so
        that no name of the source's ever has to survive a driver's or an engine's own quoting.
        """
        items = [f"{column.select} AS c{number}" for number, column in enumerate(self.columns)]
        if self.replaced is not None:
            items.append(f"{self.replaced} AS replaced")
        predicates = [f"({self.where})"] if self.where else []
        if partition is not None and self.partitions:
            predicates.append(f"({self.partitions[partition]})")
        condition = f" WHERE {' AND '.join(predicates)}" if predicates else ""
        return f"SELECT {', '.join(items)} FROM {self.relation}{condition}"  # noqa: S608
