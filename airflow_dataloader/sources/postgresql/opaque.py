"""The parts of an SQL text that are not SQL themselves: strings, quoted names and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: In the order in which a text is taken apart.
_OPAQUE = re.compile(
    r"""
      (?<![\w$])[eE]'(?P<escaped>(?:[^'\\]|\\.|'')*)'
    | '(?P<plain>(?:[^']|'')*)'
    | "(?:[^"]|"")*"                # name
    | --[^\r\n]*                    # comment to the end of the line
    | /\*                           # comment that may hold others; see _comment_end
    | (?<![\w$])\$(?P<tag>\w*)\$(?P<dollar>.*?)\$(?P=tag)\$
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of them: where it begins and ends, and what a string holds, as it is written; None: no string."""

    start: int
    end: int
    string: str | None


def opaque_parts(sql: str) -> Iterator[Part]:
    """Yield the strings, quoted names and comments of ``sql``, in their order."""
    position = 0
    while (found := _OPAQUE.search(sql, position)) is not None:
        position = _comment_end(sql, found.start()) if found.group() == "/*" else found.end()
        held = (found[name] for name in ("escaped", "plain", "dollar"))
        string = next((text for text in held if text is not None), None)
        yield Part(start=found.start(), end=position, string=string)


def _comment_end(sql: str, start: int) -> int:
    depth = 0
    for mark in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(sql)
