"""Time zones by the names that rows give."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from airflow_dataloader.exceptions import ConfigurationError

#: Zones with summer time that PostgreSQL does not find under their names, since it takes each for the
#: abbreviation of one offset.
SHADOWED = frozenset({"CET", "EET", "MET", "WET"})


def read_zone(name: str) -> ZoneInfo:
    """Return the zone called ``name``; raise ConfigurationError if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"load_timezone {name!r} is not a time zone.",
            field="load_timezone",
            fix="use a name of the IANA list, such as Europe/Berlin or UTC",
        ) from None
