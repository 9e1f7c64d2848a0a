"""``?`` in SQL: an operator to PostgreSQL, a parameter to its JDBC driver."""

from __future__ import annotations

import re

#: What the driver does not look into, in the order in which a text is taken apart.
_OPAQUE = re.compile(
    r"""
      (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'  # escape string
    | '(?:[^']|'')*'                # string
    | "(?:[^"]|"")*"                # identifier
    | --[^\r\n]*                    # comment to the end of the line
    | /\*                           # comment that may hold others; see _comment_end
    | (?<![\w$])\$(\w*)\$.*?\$\1\$  # dollar-quoted string
    | \?
    """,
    re.VERBOSE | re.DOTALL,
)


def jdbc_sql(sql: str) -> str:
    """Return ``sql`` with every ``?`` outside strings, names and comments doubled, as the driver wants it."""
    parts, position = [], 0
    while (found := _OPAQUE.search(sql, position)) is not None:
        end = _comment_end(sql, found.start()) if found.group() == "/*" else found.end()
        parts += [sql[position : found.start()], "??" if found.group() == "?" else sql[found.start() : end]]
        position = end
    return "".join(parts) + sql[position:]


def _comment_end(sql: str, start: int) -> int:
    depth = 0
    for mark in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(sql)
