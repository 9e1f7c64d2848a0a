"""The six load strategies and the policies beside them, under the names that the control table uses."""

from __future__ import annotations

from enum import StrEnum


class Strategy(StrEnum):
    """``table_control.load_strategy``."""

    #: Read everything, replace the table.
    FULL = "full"
    #: Read a window of the cursor, merge by key.
    INCREMENTAL = "incremental"
    #: Read a window of the cursor, add what is not there.
    APPEND_ONLY = "append_only"
    #: Read the last days, replace them.
    ROLLING = "rolling"
    #: Ask first whether anything changed, then load as incremental.
    CHECK_AND_LOAD = "check_and_load"
    #: Read the whole history in chunks, resumable, then become incremental.
    CHUNKED_BACKFILL = "chunked_backfill"


#: Strategies that move a watermark and therefore need ``incremental_column``.
NEEDS_CURSOR = frozenset(
    {Strategy.INCREMENTAL, Strategy.APPEND_ONLY, Strategy.CHECK_AND_LOAD, Strategy.CHUNKED_BACKFILL}
)

#: Strategies that merge and therefore need ``primary_key_cols``.
NEEDS_KEY = frozenset({Strategy.INCREMENTAL, Strategy.CHECK_AND_LOAD, Strategy.CHUNKED_BACKFILL})

#: Strategies by which a row stays at the target when it is gone at the source: who reads no more than what is
#: new does not see what is missing. ``rolling`` is another, where it keeps older days.
KEEPS_GONE_ROWS = NEEDS_CURSOR

#: Strategies whose every load puts a whole new table in the target's place.
REPLACES = frozenset({Strategy.FULL, Strategy.CHUNKED_BACKFILL})

#: Strategies that read the source once, in pieces and as many attempts as it takes, and then become another.
IN_PIECES = frozenset({Strategy.CHUNKED_BACKFILL})

#: Strategies that read the last days, and nothing of the days before.
BY_DAYS = frozenset({Strategy.ROLLING})

#: Strategies to whose loads a key means nothing, so that it may be of any type.
IGNORES_KEYS = frozenset({Strategy.FULL})

#: Strategies that leave a target as their window's merge would have left it.
_MERGED = frozenset({Strategy.INCREMENTAL, Strategy.CHECK_AND_LOAD, Strategy.CHUNKED_BACKFILL, Strategy.FULL})

#: Strategies that tell rows apart by all of their columns, where the control row names no key.
COMPARES_WHOLE_ROWS = frozenset({Strategy.APPEND_ONLY})

#: By strategy that has a watermark, whose commits it may go on from. After others the target holds other rows
#: than the watermark says: fewer, or old versions.
GOES_ON_FROM = {
    Strategy.INCREMENTAL: _MERGED,
    Strategy.CHECK_AND_LOAD: _MERGED,
    Strategy.CHUNKED_BACKFILL: _MERGED,
    Strategy.APPEND_ONLY: frozenset({Strategy.APPEND_ONLY, Strategy.FULL}),
}


class CursorType(StrEnum):
    """``table_control.incremental_type``: what the cursor column holds; decides literals and chunking."""

    TIMESTAMP = "timestamp"
    TIMESTAMP_NTZ = "timestamp_ntz"
    DATE = "date"
    INTEGER = "integer"
    DECIMAL = "decimal"
    STRING = "string"

    @property
    def is_time(self) -> bool:
        """Whether a span of time lies between two values."""
        return self in {CursorType.TIMESTAMP, CursorType.TIMESTAMP_NTZ, CursorType.DATE}


class Trigger(StrEnum):
    """``historical_metadata.trigger``: why a load was claimed."""

    #: Its slot had come.
    SCHEDULE = "schedule"
    #: A person asked for it, whatever its slot.
    MANUAL = "manual"
    #: Its slot had come, and the row had been reset for a retry.
    RETRY = "retry"


class NullCursorPolicy(StrEnum):
    """What happens to rows without a cursor value."""

    #: Every window has them, too.
    INCLUDE = "include"
    #: No window has them.
    EXCLUDE = "exclude"
    #: The load fails where there is one.
    FAIL = "fail"


class SchemaPolicy(StrEnum):
    """What happens when the source's columns changed."""

    #: The target gets new columns and wider types.
    EVOLVE = "evolve"
    #: Any difference that would change the target's columns fails the load.
    FREEZE = "freeze"
    #: The target gets wider types; new columns are not read.
    IGNORE = "ignore"


class ValuePolicy(StrEnum):
    """What happens to values that cannot be kept exactly."""

    #: The load fails and names the column.
    FAIL = "fail"
    #: Columns of a type that has such values become text.
    STRING = "string"
    #: They become NULL, and are counted.
    NULL = "null"


class EmptySourcePolicy(StrEnum):
    """Whether an empty source may empty a filled target."""

    #: The load fails, and the target stays as it is.
    FAIL = "fail"
    #: It may.
    ALLOW = "allow"


class LoadColumnsPolicy(StrEnum):
    """Which columns a load adds to the rows that it writes."""

    NONE = "none"
    #: The load's id and its beginning.
    ID_AND_TIME = "id_and_time"


class DeletePolicy(StrEnum):
    """What happens to a target's rows that the source no longer has."""

    IGNORE = "ignore"
    #: They are looked for by a scan of the source's keys, and deleted.
    SCAN = "scan"
    #: They are looked for alike, and marked.
    SOFT = "soft"


class RollingRetention(StrEnum):
    """What a rolling load does with the target's rows that are older than its window."""

    #: The target holds the window and nothing else.
    WINDOW = "window"
    #: Older rows stay as they were last loaded.
    KEEP = "keep"
