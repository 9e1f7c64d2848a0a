"""Names and texts in PostgreSQL's SQL."""

from __future__ import annotations

from airflow_dataloader.exceptions import ConfigurationError

#: Bytes of a name; of a longer one PostgreSQL takes so many.
LONGEST_NAME = 63


def quote(identifier: str) -> str:
    """Return the identifier so that PostgreSQL reads exactly this name, case and all.

    Raises ConfigurationError for a name that PostgreSQL cannot have.
    """
    if not identifier or "\x00" in identifier:
        raise ConfigurationError(
            f"{identifier!r} cannot be a name in PostgreSQL.",
            fix="spell the name as the source does",
        )
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a string literal, right under either setting of ``standard_conforming_strings``."""
    if "\x00" in text:
        raise ConfigurationError(
            "PostgreSQL's texts cannot hold the character NUL.",
            fix="remove it from the value",
        )
    doubled = text.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    return "E'" + doubled.replace("\\", "\\\\") + "'"
