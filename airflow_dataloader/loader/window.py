"""The window of one load: which values of the cursor it reads, frozen at the source before reading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.strategy import NEEDS_CURSOR, CursorType, NullCursorPolicy
from airflow_dataloader.core.texts import refuse_unkept
from airflow_dataloader.exceptions import ConfigurationError, ValueRefused
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.reading import ask_beside
from airflow_dataloader.sources.model import CursorPlan, Frozen

#: What to do where a source is not what it was.
ANEW = "If the source was filled anew, set load_full = 'true'."


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a load reads, and how far the row will have come when it has published that."""

    cursor: CursorPlan
    #: Lower end before the overlap, as the source's text; None: from the beginning.
    low: str | None
    #: Upper end, included; None: no row has a cursor value.
    high: str | None
    #: How far the source itself has come, rows of the future apart.
    newest: str | None
    #: The source has gone back behind ``low``: it was filled anew, or is a copy that lags behind.
    behind: bool
    #: The row's next ``incremental_value``; None leaves it.
    watermark: str | None
    #: Predicate over the relation, in the source's SQL.
    where: str
    #: Predicate of the rows at the upper end; None: there are none, or they may lie below the lower end.
    newest_rows: str | None

    def facts(self) -> Facts:
        """Return what a later load needs to adopt this window's commit, and to follow it."""
        # If the source has no cursor left, rows that come to it later may lie below the watermark.
        none_left = self.high is None and self.low is not None
        return Facts(
            window=Bounds(low=self.low, high=self.high, watermark=self.watermark),
            watermark_void=none_left,
            goes_back=self.behind and self.high is not None and self.watermark == self.newest,
        )


def freeze_window(load: ActiveLoad, low: str | None) -> Window:
    """Ask the source for the upper end of the window that begins at ``low``, and write the bounds down.

    The window begins at the beginning instead where the source has gone back behind a watermark that is older
    than what the target holds, and where the source's clock has gone back behind one that no person set.
    """
    with load.journal.during(Phase.PLAN):
        cursor = load.dialect.cursor(load.described, load.columns, load.config)
        low, frozen = _freeze(load, cursor, low)
        # Before anything is read by them.
        for bound in (frozen.high, frozen.watermark):
            refuse_unkept(bound, f"The newest {cursor.column.source_name!r} of {load.config.label}")
        refuse_null_cursors(load, cursor)
        where = load.dialect.window_predicate(
            cursor,
            low,
            frozen.high,
            null_policy=load.config.null_cursor_policy,
        )
    _remark_on(load, cursor, low, frozen)
    load.journal.record(low=low, high=frozen.high)
    return Window(
        cursor=cursor,
        low=low,
        high=frozen.high,
        newest=frozen.newest,
        behind=frozen.behind,
        watermark=frozen.watermark,
        where=where,
        newest_rows=_newest_rows(load, cursor, frozen),
    )


def _freeze(load: ActiveLoad, cursor: CursorPlan, low: str | None) -> tuple[str | None, Frozen]:
    """Return where the window begins, at ``low`` or at the beginning, and what the source says of it then."""
    freeze = partial(load.dialect.freeze, load.session.query, load.relation, cursor)
    frozen = freeze(low)
    if frozen.behind and _has_been_replaced_since(load):
        load.journal.remark(
            f"The newest {cursor.column.source_name!r} at the source is {frozen.newest}, below the "
            f"watermark {low} from before the target was last replaced; everything was read again."
        )
        low = None
        frozen = freeze(low)
    if frozen.from_future and load.config.watermark_of is not None:
        load.journal.remark(
            f"The watermark {low} lies beyond the source's clock, which was set back, or is read in "
            "another load_timezone; everything was read again, as rows written since lie below it."
        )
        low = None
        frozen = freeze(low)
    return low, frozen


def _newest_rows(load: ActiveLoad, cursor: CursorPlan, frozen: Frozen) -> str | None:
    """Return the predicate of the rows at the upper end; None: there are none, or they are in no window."""
    if frozen.high is None or frozen.behind:
        return None
    return load.dialect.newest_rows_predicate(cursor, frozen.high)


def lower_watermark(load: ActiveLoad, window: Window) -> Window:
    """Return the window, whose rows have no cursor; where the source has gone back, its watermark does, too.

    A merge takes such rows for newer than what the target holds. From a copy that lags they may be older:
    with the cursor that they have got meanwhile, they must be in a window again.
    """
    if not window.behind:
        return window
    load.journal.remark(
        f"Rows without a {window.cursor.column.source_name!r} may be older than the target's; the watermark "
        f"goes back to {window.newest}, so that they are read again if they have one."
    )
    return replace(window, watermark=window.newest)


def gone_back(load: ActiveLoad) -> Bounds | None:
    """Return how far the row will have come by a load that reads everything and goes by no window.

    None: as far as before, since the source's newest cursor is not below the watermark; or no load has
    reached that with the row as it is. Where the source has gone back, what comes next may lie below the
    watermark, too, and when a window is read again nothing may show that any more. Without a watermark in it:
    no row has a cursor, or none that could be compared.
    """
    config, low = load.config, load.config.incremental_value
    if low is None or config.watermark_of != config.watermark_hash:
        return None
    with load.journal.during(Phase.PLAN):
        try:
            cursor = load.dialect.cursor(load.described, load.columns, config)
            # On a connection of its own: the load needs no cursor, and must not fail where the watermark
            # cannot be read any more.
            frozen = load.dialect.freeze(partial(ask_beside, load), load.relation, cursor, low)
            refuse_unkept(frozen.high, "The newest cursor")
        except (ConfigurationError, ValueRefused):
            return Bounds()
    if frozen.newest is None:
        return Bounds()
    if not frozen.behind:
        return None
    load.journal.remark(
        f"The newest {cursor.column.source_name!r} at the source is {frozen.newest}, below the watermark "
        f"{low}; the watermark goes back to it, so that what comes next is read."
    )
    return Bounds(high=frozen.newest, watermark=frozen.newest)


def _has_been_replaced_since(load: ActiveLoad) -> bool:
    """Return whether the target holds all of the source as a later load found it, one without a watermark.

    Later than the watermark, unless a person has set that.
    """
    if load.config.watermark_of is None:
        return False
    brought = (entry for entry in (load.target.published if load.target else ()) if entry.commit.brings_rows)
    newest = next(brought, None)
    # After all others without a watermark everything is read again anyway.
    return newest is not None and newest.commit.facts.strategy not in NEEDS_CURSOR


def _remark_on(load: ActiveLoad, cursor: CursorPlan, low: str | None, frozen: Frozen) -> None:
    """Add a remark on what is wrong with a cursor that does not grow with time, or with another source."""
    if low is not None and _is_another_relation(load):
        load.journal.remark(
            "The source's table or view is another one of this name than at the last load: dropped and made "
            "again, swapped, restored or defined anew. What it holds below the watermark was not read. "
            f"{ANEW}"
        )
    if frozen.high is None and low is not None:
        # Emptied, maybe: what it gets from now on may lie below the watermark.
        load.journal.remark(
            f"No row at the source has a {cursor.column.source_name!r}; the watermark is still {low}. {ANEW}"
        )
    newest = f"The newest {cursor.column.source_name!r} at the source"
    if frozen.ahead:
        clock = "" if cursor.type is CursorType.TIMESTAMP else f" by the clock of {load.config.load_timezone}"
        come_to = "stays unset" if frozen.watermark is None else f"is {frozen.watermark}"
        load.journal.remark(f"{newest} is {frozen.high}, in the future{clock}; the watermark {come_to}.")
    if frozen.behind:
        newest += " that is not" if frozen.ahead else ""
        load.journal.remark(f"{newest} is {frozen.newest}, below the watermark {low}. {ANEW}")


def _is_another_relation(load: ActiveLoad) -> bool:
    """Return whether the last load to publish has read another table or view under the same name."""
    newest = load.target.newest_published if load.target else None
    before = None if newest is None else newest.commit.facts.relation_identity
    now = load.relation_identity
    return None not in (before, now) and before != now


def refuse_null_cursors(load: ActiveLoad, cursor: CursorPlan) -> None:
    """Raise ValueRefused if a row of the source has no cursor, and the row's policy is to fail then."""
    if load.config.null_cursor_policy is not NullCursorPolicy.FAIL:
        return
    ((found,),) = load.session.query(load.dialect.null_cursor_sql(load.relation, cursor))
    if found:
        raise ValueRefused(
            f"Column {cursor.column.source_name!r} of {load.config.label} is NULL in at least one row.",
            field="null_cursor_policy",
            fix="fill the column at the source, or set null_cursor_policy to include or exclude",
        )
