"""Delta's type names, as far as a change of a column's type depends on them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DECIMAL = re.compile(r"decimal\((\d+),\s*(-?\d+)\)")
#: Integer types by the decimal digits that their largest value needs.
_INTEGER_DIGITS: Mapping[str, int] = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def fits(narrow: str, wide: str) -> bool:
    """Return whether every value of type ``narrow`` is exactly a value of type ``wide``."""
    if narrow == wide or (narrow, wide) == ("float", "double"):
        return True
    if narrow in _INTEGER_DIGITS and wide in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[narrow] <= _INTEGER_DIGITS[wide]
    inner, outer = _digits(narrow), _digits(wide)
    if inner is None or outer is None or wide in _INTEGER_DIGITS:
        return False
    return inner[0] <= outer[0] and inner[1] <= outer[1]


def widens(narrow: str, wide: str) -> bool:
    """Return whether a column of type ``narrow`` can become one of type ``wide`` where it stands.

    Delta asks for more room than the values need where an integer becomes a decimal, and where there is less,
    a merge cuts the new values without a word.
    """
    if not fits(narrow, wide):
        return False
    outer = _digits(wide)
    if narrow not in _INTEGER_DIGITS or wide in _INTEGER_DIGITS or outer is None:
        return True
    return outer[0] >= (20 if narrow == "bigint" else 10)


def _digits(type_name: str) -> tuple[int, int] | None:
    """Return the digits before and after the point, or None if the type is not an exact number."""
    if type_name in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[type_name], 0
    match = _DECIMAL.fullmatch(type_name)
    return (int(match[1]) - int(match[2]), int(match[2])) if match else None
