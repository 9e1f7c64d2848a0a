"""JSON as PostgreSQL holds it, in which numbers and nests may be beyond what Python can hold."""

from __future__ import annotations

import json
import math
from typing import Any


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


_DECODER = json.JSONDecoder(parse_float=_finite)


def read_json(value: str) -> Any:
    """Read JSON; raise ValueError for a number and RecursionError for a nest that Python cannot hold."""
    return _DECODER.decode(value)
