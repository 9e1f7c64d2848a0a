"""From what Spark, Delta and a JDBC driver raise, in classic mode and through Connect, to our own errors.

Classic mode wraps Java exceptions, Connect sends them as text; both carry a condition and an SQLSTATE only
where Spark itself made the error. A driver's error is known by its class name in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    EngineFailed,
    SchemaRefused,
    SourceRefused,
    SourceUnavailable,
    ValueRefused,
)
from airflow_dataloader.sources.dialect import READ_TIMED_OUT

#: The target has taken another version of ours, lower or higher, while this write was under way.
TRANSACTION_CONFLICT = "DELTA_CONCURRENT_TRANSACTION"
_CONFLICTS = ("DELTA_CONCURRENT_", "DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED")

#: DESCRIBE HISTORY of a table of another format than Delta's, or of a view.
NOT_DELTA = ("DELTA_ONLY_OPERATION", "EXPECT_TABLE_NOT_VIEW")

#: Conditions by which a catalogue says that a table is certainly not there.
ABSENT = frozenset(
    {
        "DELTA_TABLE_NOT_FOUND",
        "DELTA_MISSING_DELTA_TABLE",
        "DELTA_PATH_DOES_NOT_EXIST",
        "PATH_NOT_FOUND",
        # DESCRIBE HISTORY of a folder without a Delta log, or of no folder at all.
        "DELTA_TABLE_ONLY_OPERATION",
        "TABLE_OR_VIEW_NOT_FOUND",
        "SCHEMA_NOT_FOUND",
    }
)
#: Conditions of what another try would meet again: our error, and what to do about it.
_REFUSALS: tuple[tuple[tuple[str, ...], type[DataloaderError], str], ...] = (
    (
        ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "DELTA_VIOLATE_CONSTRAINT", "DELTA_EXCEED_CHAR_VARCHAR"),
        ValueRefused,
        "change the row at the source, or the constraint at the target",
    ),
    (
        # What somebody has asked of the target, and no load can give.
        (
            "DELTA_MISSING_NOT_NULL_COLUMN_VALUE",
            "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE",
            "DELTA_GENERATED_COLUMNS_DEPENDENT_COLUMN_CHANGE",
            "DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT",
            "DELTA_CANNOT_MODIFY_APPEND_ONLY",
            "RESERVED_CDC_COLUMNS_ON_WRITE",
        ),
        SchemaRefused,
        "change what asks for this at the target (property, constraint, column), or load into another table",
    ),
    (
        (
            "DELTA_FAILED_TO_MERGE_FIELDS",
            "DELTA_MERGE_INCOMPATIBLE_DATATYPE",
            "DELTA_METADATA_MISMATCH",
            "DELTA_SCHEMA_CHANGED",
            "DELTA_UNSUPPORTED_DATA_TYPES",
            "DELTA_MISSING_COLUMN",
            "INCOMPATIBLE_DATA_FOR_TABLE",
        ),
        SchemaRefused,
        "set load_full = 'true' on the row to replace the table once with the source's columns",
    ),
    (
        ("NUMERIC_VALUE_OUT_OF_RANGE", "CAST_", "ARITHMETIC_OVERFLOW", "DATETIME_OVERFLOW"),
        ValueRefused,
        "set value_policy to string or null for the row",
    ),
    (
        ("INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG"),
        ConfigurationError,
        "create the schema, and give the run's identity the right to write",
    ),
)
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)?)\]")
_SQLSTATE = re.compile(r"SQLSTATE[:= ]+\(?([0-9A-Z]{5})\b", re.IGNORECASE)
#: A driver's exception, as Java prints it (``class: text``) or Connect (``(class) text``), up to the stack.
_DRIVER = re.compile(
    r"\(?\b((?:[a-z]\w*\.)+\w*SQL\w*Exception)(?::|\))\s*"
    r"(.*?)(?=\n\s*at |\nDriver stacktrace|\n+Caused by|\n+JVM stacktrace|\Z)",
    re.DOTALL,
)
_EXTERNAL = re.compile(
    r"JDBC_EXTERNAL_ENGINE\w*(?:\.\w+)?\][^\n]*?(?:error|Error)[^\n]*?:\s*(.*?)(?=\n\s*at |\nJVM|\Z)",
    re.DOTALL,
)
_UNREACHABLE = re.compile(
    r"refused|timed? ?out|terminat|reset|closed|broken pipe|i/o error|unreachable|unknown host|"
    r"shutting down|starting up|could not connect|connection attempt failed|too many (clients|connections)|"
    r"snapshot .* does not exist|conflict with recovery",
    re.IGNORECASE,
)
_LOST = re.compile(
    r"StatusCode\.(UNAVAILABLE|UNKNOWN|INTERNAL|DEADLINE_EXCEEDED|CANCELLED)|SESSION_(CLOSED|CHANGED|NOT_FOUND)|"
    r"failed to connect|connection (reset|refused)|socket closed|Answer from Java side is empty|"
    r"SparkContext was shut down|stopped SparkContext",
    re.IGNORECASE,
)
_CANCELLED = re.compile(r"OPERATION_CANCELED|cancelled|interrupted", re.IGNORECASE)
_MOST_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an engine's exception says, as far as it can be known."""

    conditions: tuple[str, ...]
    sqlstate: str | None
    text: str

    def has(self, *prefixes: str) -> bool:
        """Return whether one of the error's conditions starts with one of ``prefixes``."""
        return any(condition.startswith(prefixes) for condition in self.conditions)


def report(error: BaseException) -> Report:
    """Read an exception. Spark's own accessors can fail; what they would say is then in the text."""
    text = _text(error)
    condition, sqlstate = _ask(error, "getCondition"), _ask(error, "getSqlState")
    found = _CONDITION.findall(text)
    conditions = (condition, *found) if condition else tuple(found)
    state = sqlstate or next(iter(_SQLSTATE.findall(text)), None)
    return Report(conditions=conditions, sqlstate=state, text=text)


def _text(error: BaseException) -> str:
    java = getattr(error, "java_exception", None)
    try:
        # toString() of the whole chain; str(error) of a Delta condition that Spark lacks raises.
        return f"{error}" if java is None else _java_chain(java)
    except Exception:  # noqa: BLE001  an error that cannot be printed is still an error
        return _java_chain(java) if java is not None else type(error).__name__


def _java_chain(java: object) -> str:
    parts: list[str] = []
    cause = java
    while cause is not None and len(parts) < 20:
        parts.append(str(cause.toString()))  # type: ignore[attr-defined]
        cause = cause.getCause()  # type: ignore[attr-defined]
    return "\nCaused by: ".join(parts)


def _ask(error: BaseException, question: str) -> str | None:
    try:
        answer = getattr(error, question)()
    except Exception:  # noqa: BLE001  classic mode asks the JVM, which may not know Delta's conditions
        return None
    return str(answer) if answer else None


def is_absent(seen: Report) -> bool:
    """Return whether the catalogue answered, and the table does not exist."""
    return any(condition in ABSENT for condition in seen.conditions)


def is_lost(seen: Report, error: BaseException) -> bool:
    """Return whether the connection to the engine broke, so that nobody knows what the engine does now."""
    if type(error).__name__ in {"Py4JNetworkError", "ConnectionError", "ConnectionRefusedError"}:
        return True
    return seen.sqlstate is None and bool(_LOST.search(seen.text)) and _driver_text(seen) is None


def translate(error: BaseException, doing: str) -> DataloaderError:
    """Return our error for what the engine raised while ``doing`` something."""
    seen = report(error)
    driver = _driver_text(seen)
    if driver is not None and not seen.has("DELTA_"):
        return _of_driver(driver, seen)
    return _of_engine(seen, doing)


def _driver_text(seen: Report) -> str | None:
    """Return what the driver said, class name first, without stack; None if no driver spoke."""
    # The last one is the innermost cause. Spark names some of its own exceptions as drivers do.
    for match in reversed(list(_DRIVER.finditer(seen.text))):
        if not match[1].startswith("org.apache.spark."):
            silent = READ_TIMED_OUT in seen.text[match.end() :] and READ_TIMED_OUT not in match[2]
            # Drivers say the same of every broken connection, and only their cause tells them apart.
            cause = f"\nCaused by: {READ_TIMED_OUT}" if silent else ""
            return f"{match[1].rpartition('.')[2]}: {match[2].strip()}{cause}"
    external = _EXTERNAL.search(seen.text)
    return external[1].strip() if external else None


def _of_driver(text: str, seen: Report) -> DataloaderError:
    found = _SQLSTATE.search(text)
    state = found[1] if found else None
    unreachable = (state or "").startswith(("08", "53", "57P")) or (
        state is None and _UNREACHABLE.search(text)
    )
    kind = SourceUnavailable if unreachable else SourceRefused
    return kind(f"The source said: {_short(text)}", sqlstate=state or _borrowed(seen))


def _borrowed(seen: Report) -> str | None:
    # Spark gives its own SQLSTATE for a driver's error, mostly a mere XX000; only a telling one is kept.
    return seen.sqlstate if seen.sqlstate and not seen.sqlstate.startswith("XX") else None


def _of_engine(seen: Report, doing: str) -> DataloaderError:
    message = f"Spark failed while {doing}: {_short(seen.text)}"
    if _CANCELLED.search(seen.text) and not seen.has("DELTA_"):
        return EngineFailed(f"Spark was interrupted while {doing}.", sqlstate=seen.sqlstate)
    for conditions, kind, fix in _REFUSALS:
        if seen.has(*conditions):
            return kind(message, sqlstate=seen.sqlstate, fix=fix)
    return EngineFailed(message, sqlstate=seen.sqlstate)


def is_conflict(error: BaseException) -> bool:
    """Return whether another transaction at the target got in the way."""
    return report(error).has(*_CONFLICTS)


def _short(text: str) -> str:
    """Return the first lines of a text, without Java's stack."""
    head = re.split(r"\n\s*at |\nJVM stacktrace|\n'|\n== ", text.strip(), maxsplit=1)[0]
    return head if len(head) <= _MOST_CHARACTERS else head[:_MOST_CHARACTERS] + " …"
