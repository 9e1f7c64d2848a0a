"""What a loader asks of a kind of source. One implementation a ``db_type``; see :mod:`.registry`.

Nothing here opens a connection. Where an answer needs the source, the caller passes ``ask``, which runs one
statement in the session it has open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from airflow_dataloader.core.comparison import Compared, PartDigest
from airflow_dataloader.core.config import LoadConfig, SourceTable
from airflow_dataloader.core.fetch_size import RowWidth
from airflow_dataloader.core.plan import Endpoint, PlannedColumn
from airflow_dataloader.core.strategy import NullCursorPolicy, ValuePolicy
from airflow_dataloader.exceptions import DataloaderError, ValueRefused
from airflow_dataloader.sources.model import (
    ColumnPlan,
    CursorPlan,
    Cuts,
    Days,
    Dependencies,
    DescribedColumn,
    ErrorContext,
    Fingerprint,
    Frozen,
    JdbcOptions,
)

#: A JVM's words for a socket that stayed silent for longer than its timeout. They are the cause of a driver's
#: error, which an engine passes on and a dialect looks for.
READ_TIMED_OUT = "Read timed out"

#: Runs one statement in the load's session at the source and returns its rows.
Ask = Callable[[str], Sequence[tuple[Any, ...]]]


class Dialect(Protocol):
    """The SQL of one kind of source."""

    def quote(self, identifier: str) -> str:
        """Return the identifier as the source's SQL spells exactly this name."""

    def relation(self, source: SourceTable, query: str | None) -> str:
        """Return the FROM item: the quoted table, or the row's query in parentheses.

        Raises ConfigurationError naming ``query`` unless it is exactly one SELECT that changes nothing.
        """

    def fixed_sql(self, source: SourceTable, query: str | None) -> str | None:
        """Return a query whether the relation's rows depend on the snapshot alone: one row, one boolean.

        None where they do not: a query of the row's own may ask for the time.
        """

    def differing_text_settings(self, ask: Ask, source: SourceTable, query: str | None) -> str | None:
        """Return settings of the source by which texts are written there, but not for a load's view or query.

        None where there are none, and for tables, whose values are kept as such.
        """

    def reads_beyond_snapshot(self, ask: Ask, relation: str) -> bool:
        """Return whether rows of the relation come from a place that the source's snapshots do not reach."""

    def dependencies(self, ask: Ask, relation: str) -> Dependencies:
        """Return what the relation is made of by now, which may not be what it was in the snapshot."""

    def relation_identity(self, ask: Ask, relation: str) -> str | None:
        """Return what tells a table or view from another one of its name: one made since, or defined anew.

        None where nobody can say: of a query, or of a relation that is not there.
        """

    def plan_columns(
        self,
        described: Sequence[DescribedColumn],
        value_policy: ValuePolicy,
        ordered: Collection[str] = (),
        keys: Collection[str] = (),
        partitioned_by: Collection[str] = (),
    ) -> ColumnPlan:
        """Return the target's columns and the SQL that selects each exactly.

        ``ordered`` names columns whose order matters (cursors): ``value_policy = string`` leaves them their
        own type and refuses what that cannot keep. ``keys`` names those that are compared: as texts they
        have one spelling for equal values. ``partitioned_by`` names columns of the target in which texts that
        would be NULL there are refused, or counted as NULL, by ``value_policy``.
        Raises ConfigurationError naming both columns of a collision.
        """

    def refuse_ambiguous_keys(self, described: Sequence[DescribedColumn], keys: Collection[str]) -> None:
        """Raise ConfigurationError for a key column of a type that has several texts for equal values."""

    def key_spelling(self, column: DescribedColumn, *, whole: bool) -> str:
        """Return what the texts of a column's values depend on; the same for types that spell alike.

        ``whole``: it is no key, but of rows that are compared as a whole.
        """

    def keeps_texts(self, before: str, now: str) -> bool:
        """Return whether a column whose spelling was ``before`` and is ``now`` has the texts that it had."""

    def describe_spelling(self, spelling: str) -> str:
        """Return a spelling for a person."""

    def find_column(self, columns: Sequence[PlannedColumn], name: str, *, field: str) -> PlannedColumn:
        """Return the column called ``name`` at the source: exactly, else the only one without regard to case.

        Raises ConfigurationError naming ``field``, the missing column and similar ones.
        """

    def cursor(
        self, described: Sequence[DescribedColumn], columns: Sequence[PlannedColumn], config: LoadConfig
    ) -> CursorPlan:
        """Return the row's cursor; ``columns`` are the plan of ``described``, in the same order.

        Raises ConfigurationError where incremental_column, incremental_type or lookback do not fit.
        """

    def freeze(self, ask: Ask, relation: str, cursor: CursorPlan, low: str | None) -> Frozen:
        """Ask for the upper end of the window that begins at ``low``.

        Raises ConfigurationError naming incremental_value if ``low`` is not a value of the cursor's type.
        """

    def is_from_future(self, ask: Ask, cursor: CursorPlan, low: str) -> bool:
        """Return whether ``low`` lies beyond the source's clock."""

    def window_predicate(
        self,
        cursor: CursorPlan,
        low: str | None,
        high: str | None,
        *,
        null_policy: NullCursorPolicy,
    ) -> str:
        """Return the predicate of ``low - cursor.lookback <= cursor <= high``; None leaves an end open.

        With ``high`` None only rows without a cursor are left.
        """

    def newest_rows_predicate(self, cursor: CursorPlan, high: str) -> str:
        """Return the predicate of the rows at the upper end of a window, of which there is at least one."""

    def fingerprint(
        self,
        ask: Ask,
        *,
        relation: str,
        described: Sequence[DescribedColumn],
        cursor: CursorPlan,
        watermark: str,
        null_policy: NullCursorPolicy,
    ) -> Fingerprint:
        """Ask whether a window that begins at ``watermark`` can bring anything: one query, one pass."""

    def key_cuts(
        self, ask: Ask, relation: str, column: PlannedColumn, *, where: str | None, rows: int, parts: int
    ) -> tuple[str, ...]:
        """Ask where to cut ``rows`` rows into about ``parts`` even ranges of a column of an ordered family.

        Returns the canonical texts that the second and later ranges begin with, ascending; fewer than asked
        for where values repeat.
        """

    def digests(
        self, ask: Ask, relation: str, compared: Compared, *, where: str | None
    ) -> Mapping[int, PartDigest] | None:
        """Have the source digest its rows' canonical texts, for each part that has rows.

        None where it cannot write them as the engine does; they have to be read then.
        """

    def within_parts(self, compared: Compared, numbers: Collection[int]) -> str:
        """Return the predicate of the rows in these parts; for sources that have given their digests only."""

    def cuts(
        self, ask: Ask, relation: str, cursor: CursorPlan, high: str, *, size: timedelta | int, most: int
    ) -> Cuts:
        """Ask where to cut everything up to ``high`` into chunks of ``size``: a span, or about so many rows.

        The size fits the cursor's type. Where there are more than ``most`` chunks, a few more are enough.
        """

    def chunk_rows(
        self, ask: Ask, relation: str, cursor: CursorPlan, ends: Sequence[str | None], high: str
    ) -> Sequence[int]:
        """Count the rows of the first chunks, by their ends in order; None is the end with ``high``."""

    def chunk_predicate(self, cursor: CursorPlan, low: str | None, below: str | None, high: str) -> str:
        """Return the predicate of ``low <= cursor < below``, up to ``high``; None leaves an end open."""

    def days(
        self,
        ask: Ask,
        described: Sequence[DescribedColumn],
        columns: Sequence[PlannedColumn],
        config: LoadConfig,
    ) -> Days:
        """Ask for the first of the last ``rolling_days`` days, by the source's clock in ``load_timezone``.

        Raises ConfigurationError where rolling_column does not fit, or the source does not know the zone.
        """

    def count_sql(self, relation: str, where: str | None, also: str | None = None) -> str:
        """Return a query for the number of rows: one row, one integer.

        With ``also`` another one: how many of these rows satisfy that, too.
        """

    def probe_sql(self, relation: str, where: str | None) -> str:
        """Return a query whether there is any row: one row, one boolean."""

    def null_cursor_sql(self, relation: str, cursor: CursorPlan) -> str:
        """Return a query whether any row has no cursor: one row, one boolean."""

    def partitions(
        self,
        ask: Ask,
        *,
        relation: str,
        columns: Sequence[PlannedColumn],
        described: Sequence[DescribedColumn],
        config: LoadConfig,
        parallelism: int,
        where: str | None = None,
        rows: int | None = None,
    ) -> tuple[str, ...]:
        """Return disjoint predicates that cover the relation, or nothing where one read is better.

        Only right when every partition reads the snapshot that ``ask`` reads. ``parallelism`` is how many
        reads the engine runs at once, used unless the row says num_partitions; ``rows`` is the size of the
        window where it is known. Raises ConfigurationError naming partition_column or a bound.
        """

    def row_width(
        self,
        ask: Ask,
        *,
        relation: str,
        described: Sequence[DescribedColumn],
        config: LoadConfig,
        where: str | None,
    ) -> RowWidth | None:
        """Return how wide these columns of some of the rows are in a driver's memory.

        None where that is not known, or asking would cost too much.
        """

    def session_init(
        self,
        snapshot: str | None,
        *,
        own: Mapping[str, str] | None = None,
        remote: Sequence[str] = (),
        statement_seconds: int = 0,
    ) -> str:
        """Return the SQL that every reading connection runs first, inside its transaction.

        ``own``: further settings, of the session that the snapshot is of; ``remote``: tables of other servers
        that it locks there before it reads. 0 means: no limit to a statement.
        """

    def jdbc(self, endpoint: Endpoint) -> JdbcOptions:
        """Return how a JVM connects; raise ConfigurationError naming an option that is not allowed."""

    def jdbc_sql(self, sql: str) -> str:
        """Return ``sql`` as the JDBC driver must be given it to send the same to the source."""

    def recognise(self, message: str, context: ErrorContext) -> DataloaderError | None:
        """Return our own error if an engine's error text carries one of the source's, else None."""

    def diagnose(
        self, ask: Ask, described: Sequence[DescribedColumn], relation: str, where: str | None
    ) -> ValueRefused | None:
        """Look for a value that a failed read could not keep; name its column and show it, or return None."""
