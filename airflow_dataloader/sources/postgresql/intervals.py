"""Texts of intervals in a query that the source may read otherwise than a load does."""

from __future__ import annotations

import re

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import Ask

#: Where it is ``sql_standard``, one minus before an interval is that of all its fields. Loads have another
#: style, by which values are written.
_ONE_SIGN = "sql_standard"

_TEXT = re.compile(r"'(?:[^']|'')*'")


def first_with_one_sign(relation: str) -> str | None:
    """Return the first text, as it is quoted, that has several fields and one minus before all; None: no one.

    Only where the relation speaks of intervals at all.
    """
    if not re.search(r"\binterval\b", relation, re.IGNORECASE):
        return None
    return next((text for text in _TEXT.findall(relation) if _has_one_sign(text[1:-1])), None)


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
    if not re.match(r"\s*-\s*\d", text):
        return False
    others = re.sub(r"^\s*-\s*", "", text).split()[1:]
    return any(re.search(r"\d", other) for other in others) and not any(o[0] in "+-" for o in others)
