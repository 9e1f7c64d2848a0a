"""The window of a rolling load, frozen at the source before reading, in the words of source and target."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.names import quoted
from airflow_dataloader.core.strategy import BY_DAYS
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.continuity import why_discontinuous
from airflow_dataloader.loader.engines.protocol import Target
from airflow_dataloader.loader.engines.target_sql import literal
from airflow_dataloader.loader.reader import Reader
from airflow_dataloader.sources.model import Days


def freeze_days(reader: Reader) -> Days:
    """Ask the source for the window's first day, write it down, and count the rows that have no day."""
    with reader.journal.during(Phase.PLAN):
        days = reader.dialect.days(reader.session.query, reader.described, reader.columns, reader.config)
        ((missing,),) = reader.session.query(reader.dialect.count_sql(reader.relation, days.missing))
    reader.journal.record(low=days.first, null_cursors=int(missing))
    if missing:
        reader.journal.remark(f"{missing} rows without a value in {days.column.source_name!r} were left out.")
    return days


def slice_predicate(days: Days) -> str:
    """Return the predicate of the same window over the target's columns."""
    return f"{quoted(days.column.name)} >= {literal(days.first, days.type, days.column.type)}"


def refuse_other_day(load: ActiveLoad, name: str) -> None:
    """Raise ConfigurationError if rows of the target lack rolling_column, and may not have come by it.

    They were kept by another, or came by no day at all. No window replaces them, so that they would come a
    second time with one. The last load says how all of them came, unless another table, or an earlier state
    of this one, was put in its place since.
    """
    column = _last_to_bring_rows(load.target).day_column
    alike = column == name.casefold()
    if load.target is None or (alike and load.target.continuous):
        return
    there = any(name.casefold() == held.casefold() for held in load.target.columns)
    with load.journal.during(Phase.PLAN):
        lacking = load.engine.count(load.config.target, f"{quoted(name)} IS NULL" if there else None)
    if lacking:
        raise ConfigurationError(
            f"{lacking} rows of {load.config.target} have no value in {name!r}; "
            f"{_how_they_came(load, name)}. They would be there twice.",
            field="rolling_column",
            fix=(f"name {column!r} again; or " if column and not alike else "")
            + f"give these rows their days in {name!r} at the target, or delete them there; or set load_full "
            "= 'true' on the row to begin anew with the days of the window",
        )


def _how_they_came(load: ActiveLoad, name: str) -> str:
    """Return why rows may lack the column ``name``, as a part of a sentence."""
    column = _last_to_bring_rows(load.target).day_column
    if column is None:
        return "the last load went by no such column"
    if column == name.casefold():
        return "another table, or an earlier state of this one, was put in its place since the last load"
    return f"the last load went by {column!r}"


def remark_on_gap(load: ActiveLoad, days: Days) -> None:
    """Add a remark where older rows stay, and days before these may lack rows that no load has read.

    For a target that the row has loaded before; what another has put there is nobody's gap.
    """
    target, published = load.target, load.started.published_epoch
    if target is None or published is None:
        return
    last = _last_to_bring_rows(target)
    why = why_discontinuous(target, published)
    if why is None and last.strategy is not None and last.strategy not in BY_DAYS:
        # How far that one has come, and when it did, is not known in days.
        why = f"The target was loaded as {last.strategy} last;"
    if why is None and _ended_before(last, days):
        why = f"The last load read what was there until {last.seen_until}, before this window begins;"
    if why is None:
        return
    load.journal.remark(
        f"{why} rows of earlier days may be missing. If they are, set rolling_days to reach back to them for "
        "one load."
    )


def _last_to_bring_rows(target: Target | None) -> Facts:
    published = () if target is None else target.published
    return next((one.commit.facts for one in published if one.commit.brings_rows), Facts())


def _ended_before(last: Facts, days: Days) -> bool:
    """Return whether rows may have come after the last load, and before the first that this window holds.

    In a column without a zone they are told by what a zone shows: the row's as it is now, or, if that was
    edited and their writers have not moved, as it was then.
    """
    if last.seen_until is None or last.shown_until is None:
        return False
    passed_by = _instant(last.seen_until) < _instant(days.begins)
    return passed_by or (_instant(last.shown_until) < _instant(days.first))


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
