"""SQL over a target's columns, as predicates are handed to an engine: Spark's, with its literals.

Names are quoted by :func:`~airflow_dataloader.core.names.quoted`. An engine of other SQL translates.
"""

from __future__ import annotations

from airflow_dataloader.core.strategy import CursorType

#: Literals of days and times, styles as a session sets them.
_TIMES = {
    CursorType.DATE: "DATE '{}'",
    CursorType.TIMESTAMP: "TIMESTAMP '{}'",
    CursorType.TIMESTAMP_NTZ: "TIMESTAMP_NTZ '{}'",
}


def literal(text: str, kind: CursorType, type_name: str) -> str:
    """Return a value that a source has frozen as text; ``type_name``: the Delta type of its column."""
    if kind in _TIMES:
        return _TIMES[kind].format(text)
    if kind is CursorType.STRING:
        return text_literal(text)
    return f"CAST('{text}' AS {type_name})"


def text_literal(text: str) -> str:
    """Return a text by its bytes, of which none has to be escaped, whatever a session's settings are."""
    return f"CAST(X'{text.encode().hex()}' AS STRING)"
