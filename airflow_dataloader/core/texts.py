r"""Texts as the control database can keep them: PostgreSQL has no NUL, and no half of a surrogate pair.

A source may have both, and so may whatever a driver says of it. What people read is kept with U+FFFD in their
place; a value that a later load goes on from is refused instead, because it would go on from another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_dataloader.exceptions import ValueRefused

_UNKEPT = re.compile("[\x00\ud800-\udfff]")

_INSTEAD = "\ufffd"

#: What a terminal takes for an order and not for a letter; line ends and tabs are harmless.
_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def can_be_kept(text: str) -> bool:
    """Return whether PostgreSQL can hold ``text`` as it is."""
    return _UNKEPT.search(text) is None


def refuse_unkept(value: str | None, name: str) -> None:
    """Refuse a value of the cursor that cannot be kept as it is; ``name`` is what a person calls it."""
    if value is not None and not can_be_kept(value):
        raise ValueRefused(
            f"{name}, {value[:100]!a}, holds a character that the control database cannot keep, so that no "
            "load could go on from there.",
            field="incremental_column",
            fix="remove NUL and unpaired surrogates from the column at the source, or use another column",
        )


def kept_text(text: str) -> str:
    """Return ``text`` with U+FFFD for each character that cannot be kept; for people alone."""
    return _UNKEPT.sub(_INSTEAD, text)


def shown_text(text: str) -> str:
    """Return ``text`` as a terminal can be given it: its orders, as a value or name may hold, as escapes."""
    return _ORDERS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def kept_json(value: Any) -> str:
    """Return ``value`` as JSON, its texts as :func:`kept_text` gives them."""
    return json.dumps(_kept(value))


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return kept_text(value)
    if isinstance(value, Mapping):
        return {_kept(name): _kept(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(each) for each in value]
    return value
