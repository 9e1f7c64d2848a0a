"""Reading a snapshot of a row: loose values of a control table, of which an empty text is none."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

_Choice = TypeVar("_Choice", bound=StrEnum)


def text(snapshot: Mapping[str, Any], name: str) -> str | None:
    """Return a column's text, or None where it is missing, blank, or no text.

    ``control.given()`` decides alike in the database what counts as given, and trims it, too.
    """
    value = snapshot.get(name)
    return value if isinstance(value, str) and value.strip() else None


#: The words that PostgreSQL takes for a boolean.
_YES = frozenset({"true", "t", "1", "yes", "y", "on"})
_NO = frozenset({"false", "f", "0", "no", "n", "off", ""})


def flag(value: Any) -> bool:
    """Return whether a column of the documents' that holds a word means yes."""
    return _word(value) in _YES


def is_flag(value: Any) -> bool:
    """Return whether the word means yes or no, and not something that nobody knows."""
    return _word(value) in _YES | _NO


def _word(value: Any) -> str:
    return "" if value is None else str(value).strip().casefold()


def choice(kind: type[_Choice], snapshot: Mapping[str, Any], name: str, default: str) -> _Choice:
    """Return a policy; the default where the column is empty."""
    return kind(snapshot.get(name) or default)


@cache
def choices(kind: type[StrEnum]) -> frozenset[str]:
    """Return the texts that a policy's column may hold."""
    return frozenset(kind)


def split_columns(listed: str | None) -> tuple[str, ...]:
    """Split a column list: commas between names, double quotes around a name that holds a comma.

    Raises ValueError where a name is longer than any reader takes.
    """
    if not listed or not listed.strip():
        return ()
    try:
        row = next(csv.reader([" ".join(listed.splitlines())], skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"cannot be read: {error}") from None
    return tuple(name for name in (part.strip() for part in row) if name)


def secret_scope(snapshot: Mapping[str, Any]) -> str:
    """Return the scope that holds the secrets of the row's source."""
    return snapshot.get("db_kv_scope") or "azure-keyvault"
