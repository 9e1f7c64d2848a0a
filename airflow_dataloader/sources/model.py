"""What a dialect is told of a source, and what it answers: values, without behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo

from airflow_dataloader.core.plan import Endpoint, PlannedColumn
from airflow_dataloader.core.strategy import CursorType


@dataclass(frozen=True, kw_only=True)
class DescribedColumn:
    """One column as the source itself describes it."""

    name: str
    #: Base type without arguments, as the source's catalogue calls it: ``numeric``, ``timestamptz``.
    base: str
    #: The type as a person would write it: ``numeric(10,2)``.
    declared: str
    #: The type's arguments as the source encodes them; -1 where it has none.
    modifier: int = -1
    #: Whether the column holds arrays that are kept by their elements.
    array: bool = False
    #: Types that its own is made of, at any depth: elements, fields, bounds, and what a domain stands for.
    parts: frozenset[str] = frozenset()
    #: What the texts of values depend on that types by the same names may have other than before: fields, and
    #: the names of values. Empty where the type's name says all.
    definition: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnPlan:
    """What becomes of a relation's columns."""

    columns: tuple[PlannedColumn, ...]
    #: SQL integer expression: values of a row that value_policy ``null`` replaces; None where none can be.
    replaced: str | None


@dataclass(frozen=True, kw_only=True)
class CursorPlan:
    """The column that says how far a load has come, in the source's SQL."""

    column: PlannedColumn
    #: Expression that orders the rows, identifiers quoted.
    quoted: str
    #: SQL type that the watermark's text is cast to.
    cast: str
    type: CursorType
    #: Zone of the clock that the column's values are read off; None where they are instants, or no times.
    zone: tzinfo | None
    #: Overlap with the last window, of the kind that the type can subtract; None for none.
    lookback: timedelta | int | None
    #: Predicate of the values that the target can keep and a watermark can be; None: all.
    kept: str | None
    #: The same predicate of any SQL expression, for checking a watermark.
    kept_of: Callable[[str], str | None] = field(repr=False, compare=False)
    #: Whether a row outside ``kept`` makes the read fail; else it counts as a row without a cursor.
    refuses: bool
    #: Whether the column's texts are filled up with blanks, which its order and a watermark know nothing of.
    padded: bool = False


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The upper end of a window, as the source's own text."""

    #: Largest value in the source, or None if it has none.
    high: str | None
    #: How far the source itself has come: the largest value that is none of the future, where there is one.
    newest: str | None
    #: What the row's watermark becomes: the larger of the lower end and the largest value that the clock will
    #: not show again, or rows to come would lie below it. Never the clock's own time, since a source that
    #: lags may still get rows of before. None: there is neither.
    watermark: str | None
    #: ``high`` lies beyond the source's clock.
    ahead: bool = False
    #: ``newest`` lies below the lower end.
    behind: bool = False
    #: The lower end lies beyond the source's clock, which was set back if a load has reached that.
    from_future: bool = False


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a source holds at and beyond a watermark."""

    #: Rows with a cursor beyond it.
    newer: int
    #: Rows of the boundary: from the watermark back by the lookback, and those without a cursor.
    rows: int
    #: Digest of everything that the boundary's rows hold, whatever their order.
    digest: str


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """Where a table's history is cut into chunks, as the source's own texts."""

    #: Smallest cursor; None: there is none.
    low: str | None
    #: Beginnings of the second and later chunks, ascending.
    points: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Days:
    """The window of a rolling load: from its first day on, frozen at the source."""

    #: The column that the days are of.
    column: PlannedColumn
    type: CursorType
    #: The window's first value as the source's own text, in UTC where it is an instant: a date, or midnight.
    first: str
    #: The instant that it stands for in the row's zone.
    begins: str
    #: Until when the snapshot shows what was committed, by the source's clock; and what the row's zone showed
    #: then, as ``first`` is written.
    seen_until: str
    shown_until: str
    #: Predicate of the window over the relation, in the source's SQL.
    where: str
    #: Predicate of the rows that have no day.
    missing: str


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What a relation is made of, as far as the source says."""

    #: Schema and name of each table that is read, and the number by which the source knows it whatever it is
    #: called; 0: it has gone meanwhile.
    tables: frozenset[tuple[str, str, int]] = frozenset()
    #: Which rows it has, or which values in them, is another matter for each connection: it numbers rows that
    #: are alike, or takes some of them.
    nondeterministic: bool = False
    #: Tables of other servers among them that can be locked there, as the source's SQL names them.
    remote: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JdbcOptions:
    """How a JVM reaches the source. The login is among the properties, never part of the URL."""

    url: str
    driver: str
    properties: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ErrorContext:
    """What an error text alone does not tell."""

    endpoint: Endpoint
    #: Whether the row reads a query instead of a table.
    from_query: bool = False
    #: The FROM item; empty where nothing was read yet.
    relation: str = ""
