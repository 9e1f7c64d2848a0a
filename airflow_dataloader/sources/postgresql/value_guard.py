"""How PostgreSQL itself is made to stop at a value that cannot be kept, and how that is understood again."""

from __future__ import annotations

import json
import re

from airflow_dataloader.exceptions import ValueRefused
from airflow_dataloader.sources.postgresql.quoting import literal

#: Characters of a refused value that a message shows.
_SAMPLE = 60

#: What such an error says; not the expression itself, which a driver or engine may quote with its statement.
_SAID = re.compile(
    r'dataloader refuses column ("(?:[^"\\]|\\.)*"): '
    r"(?!' \|\| translate\()(.*?) \((value_policy|partition)\)",
    re.DOTALL,
)

#: Types whose values may be any text: only a detour through a number can fail.
_TEXTS = frozenset({"text", "bpchar"})


def raise_in_source(column: str, x: str, sql_type: str) -> str:
    """Return an expression of ``sql_type`` that fails with a text naming column and value; NULL for NULL.

    It is a cast that cannot succeed, so no function has to be created at the source.
    """
    return _raise(column, x, sql_type, "value_policy")


def raise_at_partition(column: str, x: str, sql_type: str) -> str:
    """Return an expression as :func:`raise_in_source` does, for a text that no partition can have."""
    return _raise(column, x, sql_type, "partition")


def _raise(column: str, x: str, sql_type: str, why: str) -> str:
    said = literal(f"dataloader refuses column {json.dumps(column, ensure_ascii=False)}: ")
    text = f"{said} || {sample(x)} || ' ({why})'"
    if sql_type in _TEXTS:
        return f"CAST(CAST({text} AS int4) AS {sql_type})"
    return f"CAST({text} AS {sql_type})"


def sample(x: str) -> str:
    """Return the expression of a value's text as messages show it: short, and on one line."""
    return f"translate(left({x}::text, {_SAMPLE}), chr(10) || chr(13), '  ')"


def refused(column: str, value: str) -> ValueRefused:
    """Return the error for a value of ``column`` that cannot be kept exactly."""
    return ValueRefused(
        f"Column {column!r} holds {value}, which the target cannot keep exactly.",
        field=column,
        fix="mend the value at the source, or set value_policy to string (the column becomes text) "
        "or null (such values become NULL and are counted)",
    )


def parse_refusal(message: str) -> ValueRefused | None:
    """Return the refusal that an error text carries, however many texts are wrapped around it."""
    said = _SAID.search(message)
    if said is None:
        return None
    value, why = said.group(2), said.group(3)
    try:
        column = json.loads(said.group(1), strict=False)
    except ValueError:
        # A value that only looks like this.
        return None
    return _no_partition(column, value) if why == "partition" else refused(column, value)


def _no_partition(column: str, value: str) -> ValueRefused:
    what = f"the text {value}" if value else "an empty text"
    return ValueRefused(
        f"Column {column!r} holds {what}, which becomes NULL where the target is partitioned by the column.",
        field=column,
        fix="mend the value at the source, partition the target by another column, or set value_policy to "
        "null (such values become NULL and are counted)",
    )
