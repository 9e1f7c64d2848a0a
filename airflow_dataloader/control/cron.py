"""``load_cron``, ``delete_cron`` and ``load_timezone``: when a row is due.

croniter reads the cron and walks it without a zone, because its own walk through a zone gives a daily 02:30
twice in autumn; :mod:`airflow_dataloader.core.schedule` puts the slots on the time line.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from croniter import CroniterError, croniter

from airflow_dataloader.core.schedule import next_instant
from airflow_dataloader.core.zones import read_zone
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError

#: croniter's own extensions: ``H`` needs a name to hash, ``R`` is another time at every reading.
_NOT_A_TIME = re.compile(r"(?<![a-z])[hr](?![a-z])", re.IGNORECASE)

#: A range, with or without a step, as one item of a field.
_RANGE = re.compile(r"(?<![^\s,])(\w+)-(\w+)(?:/0*[1-9]\d*)?(?=[\s,#]|$)")

#: Place of the field of weekdays.
_WEEKDAY = 4

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_WEEKDAYS = "sun mon tue wed thu fri sat"
_NAMES = {
    name: str(number)
    for names, first in ((_MONTHS, 1), (_WEEKDAYS, 0))
    for number, name in enumerate(names.split(), first)
}

_FIX = "write five fields (minute hour day month weekday), such as '30 2 * * *', or leave it empty"


class UnreadableCron(ConfigurationError):
    """A text that names no time, whoever reads it and whenever."""


class Cron:
    """A cron expression of five fields, or a name such as ``@daily``, on a clock without a zone."""

    def __init__(self, text: str, field: str = "load_cron") -> None:
        """Read ``text``; raise UnreadableCron naming ``field`` if it is not a cron or never happens."""
        self.text = " ".join(text.split())
        self._field = field
        self._read = _RANGE.sub(_one_value, self.text)
        try:
            fields = croniter.expand(self._read)[0]
        except (CroniterError, ValueError, KeyError) as error:
            raise _bad_cron(field, text, str(error)) from None
        if len(fields) != 5:
            raise _bad_cron(field, text, f"it has {len(fields)} fields instead of five")
        if _NOT_A_TIME.search(self.text):
            raise _bad_cron(field, text, "H and R name no fixed time")
        self.every_hour = fields[1] == ["*"]
        self.next_after(datetime(2000, 1, 1))

    def next_after(self, wall: datetime) -> datetime:
        """Return the first slot later than ``wall``, both without a zone."""
        try:
            slot: datetime = croniter(self._read, wall).get_next(datetime)
        except CroniterError:
            raise _bad_cron(self._field, self.text, "no day matches it") from None
        return slot


def _one_value(found: re.Match[str]) -> str:
    """Return a range with one value in it as that value: croniter takes it for the whole field."""
    low, high = (_NAMES.get(end.lower(), end.lstrip("0") or "0") for end in found.group(1, 2))
    # Sunday, twice; from 0 to 7 is the whole week.
    sunday = found.string[: found.start()].count(" ") == _WEEKDAY and (low, high) == ("7", "0")
    return found[1] if low == high or sunday else found[0]


def next_slot(cron: str, load_timezone: str, after: datetime, *, field: str = "load_cron") -> datetime:
    """Return the first slot later than ``after`` (which has a zone), in UTC.

    Raises UnreadableCron naming ``field``, the column that ``cron`` is from, if there is none for anybody;
    ConfigurationError or TransientError if it cannot be told here, or not now.
    """
    try:
        return _slot_after(cron, load_timezone, after, field)
    except DataloaderError:
        raise
    except Exception as error:
        # One cron that its reader chokes on must not stop the claim of other rows.
        raise ConfigurationError(
            f"{field} {cron!r} cannot be used: its next time cannot be found ({type(error).__name__}).",
            field=field,
            fix=_FIX,
        ) from error


@lru_cache(maxsize=256)
def _slot_after(cron: str, load_timezone: str, after: datetime, field: str) -> datetime:
    """Walk once for all rows of a claim, which ask about one moment, with this cron and zone."""
    return next_instant(read_cron(cron, field), read_zone(load_timezone), after)


@lru_cache(maxsize=4096)
def read_cron(text: str, field: str = "load_cron") -> Cron:
    """Return the cron that ``text`` means; raise UnreadableCron naming ``field`` if there is none."""
    return Cron(text, field)


def _bad_cron(field: str, text: str, reason: str) -> UnreadableCron:
    return UnreadableCron(f"{field} {text!r} cannot be used: {reason.rstrip('.')}.", field=field, fix=_FIX)
