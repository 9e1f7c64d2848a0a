"""Which rows a command or an edit means: ``source:shop name:orders*,customers status:failed``.

A space between two terms means *and*, a comma within a term *or*. Values compare without case; ``*`` stands
for any characters, ``?`` for one. Double quotes keep spaces, commas and colons: ``tag:"month end"``. A word
without a field is a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_dataloader.core.texts import can_be_kept
from airflow_dataloader.exceptions import ConfigurationError


class Field(StrEnum):
    """What a term looks at."""

    #: The target's or the source's table name, alone or with its schema and catalog before it.
    NAME = "name"
    #: ``db_config_key``.
    SOURCE = "source"
    #: ``last_status``; ``none`` for a row that never ran or was reset; ``_`` may stand for the space.
    STATUS = "status"
    #: Any of the row's tags.
    TAG = "tag"
    #: ``load_strategy``.
    STRATEGY = "strategy"
    OWNER = "owner"


#: What ``status:`` calls SQL's NULL.
NO_STATUS = "none"


@dataclass(frozen=True, kw_only=True)
class Term:
    """One condition: any of the patterns holds for the field."""

    field: Field
    #: Globs as they were written. The database folds them and what they are compared with, by its one rule.
    patterns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Selector:
    """Terms that all have to hold."""

    terms: tuple[Term, ...]
    text: str

    def __and__(self, other: Selector) -> Selector:
        """Return the selector of what both select."""
        return Selector(terms=self.terms + other.terms, text=f"{self.text} {other.text}")

    def __str__(self) -> str:
        """Return the selector as it was written."""
        return self.text


def parse(text: str) -> Selector:
    """Return the selector that ``text`` means; raise ConfigurationError saying what is wrong with it."""
    _readable(text, text)
    terms = tuple(_term(word, text) for word in _split(text, " \t\n", text))
    if not terms:
        raise _wrong(text, "it selects nothing")
    return Selector(terms=terms, text=text.strip())


def named(table: str) -> Selector:
    """Return the selector of one table by its name, whatever is in that name; raise ConfigurationError.

    ``*`` and ``?`` are what they are in every selector.
    """
    text = f"name:{table.strip()}"
    name = _readable(table.strip(), text)
    if not name:
        raise _wrong(text, "it has no value")
    return Selector(terms=(Term(field=Field.NAME, patterns=(name,)),), text=text)


def like(pattern: str) -> str:
    """Return a glob as SQL's LIKE pattern, to be used with a backslash as escape."""
    literal = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return literal.replace("*", "%").replace("?", "_")


def _readable(part: str, text: str) -> str:
    if not can_be_kept(part):
        raise _wrong(text, "it holds NUL" if "\0" in part else "it holds bytes that are not UTF-8")
    return part


def _term(word: str, text: str) -> Term:
    name, colon, values = _partition(word)
    if not colon:
        name, values = Field.NAME, word
    try:
        field = Field(name.casefold())
    except ValueError:
        raise _wrong(text, f"{name!r} is not a field") from None
    patterns = tuple(_pattern(field, value) for value in _split(values, ",", text))
    if not patterns or not all(patterns):
        raise _wrong(text, f"{word!r} has no value")
    return Term(field=field, patterns=patterns)


def _pattern(field: Field, value: str) -> str:
    plain = value.replace('"', "").strip()
    return plain.replace("_", " ") if field is Field.STATUS else plain


def _partition(word: str) -> tuple[str, str, str]:
    """Split at the first colon, unless quotes begin before it."""
    name, colon, values = word.partition(":")
    return (word, "", "") if '"' in name else (name, colon, values)


def _split(text: str, separators: str, whole: str) -> list[str]:
    """Split at any of the separators outside quotes; quotes stay. A run of spaces is one separator."""
    parts, current, quoted = [], "", False
    for character in text:
        if character == '"':
            quoted = not quoted
        if character in separators and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    if quoted:
        raise _wrong(whole, "a quote is not closed")
    parts.append(current)
    return [part for part in parts if part] if " " in separators else parts


def _wrong(text: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"Selector {text!r} cannot be read: {reason}.",
        field="selector",
        fix=f"write field:value with the fields {', '.join(Field)}, such as 'source:shop name:orders*'",
    )
