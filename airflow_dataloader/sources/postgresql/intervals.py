"""Texts of intervals in a query that the source may read otherwise than a load does."""

from __future__ import annotations

import re

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.postgresql.opaque import opaque_parts

#: Where it is ``sql_standard``, one minus before an interval is that of all its fields. Loads have another
#: style, by which values are written.
_ONE_SIGN = "sql_standard"

#: The first field and its minus, behind what PostgreSQL passes over; and each later field, with its sign.
_FIRST = re.compile(r"[^\w+\-.]*-\s*[.\d][\d:.\-/]*")
_OTHER = re.compile(r"([+-]?)\s*[.\d][\d:.\-/]*")


def first_with_one_sign(relation: str) -> str | None:
    """Return the first text, as the query quotes it, with several fields and one minus before all; or None.

    Only where the relation speaks of intervals at all.
    """
    if not re.search(r"\binterval\b", relation, re.IGNORECASE):
        return None
    for part in opaque_parts(relation):
        if part.string is not None and _has_one_sign(part.string):
            return relation[part.start : part.end]
    return None


def refuse_one_sign(ask: Ask, relation: str) -> None:
    """Raise ConfigurationError where a text has one sign that is all fields' at the source.

    To be asked before the style of loads is set.
    """
    text = first_with_one_sign(relation)
    if text is not None and ask("SELECT current_setting('IntervalStyle')") == [(_ONE_SIGN,)]:
        raise ConfigurationError(
            f"The source's IntervalStyle is {_ONE_SIGN}, by which the minus of {text} is that of all its "
            "fields; a load would take it for the first one's.",
            field="query",
            fix="give each field of the interval its own sign, as in '-1 day -2 hours'",
        )


def _has_one_sign(text: str) -> bool:
    first = _FIRST.match(text)
    others = [] if first is None else _OTHER.findall(text, first.end())
    return bool(others) and not any(others)
