"""Time zones by the names that rows give."""

from __future__ import annotations

import errno
from zoneinfo import ZoneInfo

from airflow_dataloader.exceptions import ConfigurationError, TransientError

#: Zones with summer time that PostgreSQL does not find under their names, since it takes each for the
#: abbreviation of one offset.
SHADOWED = frozenset({"CET", "EET", "MET", "WET"})

#: What a system answers about a name that cannot be a file's. Anything else is about the system.
_NO_FILE = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL})


def read_zone(name: str) -> ZoneInfo:
    """Return the zone called ``name``.

    Raises ConfigurationError if this machine knows none of that name, and TransientError if it cannot read
    its zones at the moment, since it has no free file descriptor for instance.
    """
    try:
        return ZoneInfo(name)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise TransientError(
                f"load_timezone {name!r} cannot be read on this machine: {error.strerror}.",
                field="load_timezone",
                fix="see that its processes can open files, those of its time zones among them",
            ) from error
    except (KeyError, ValueError):
        pass
    raise ConfigurationError(
        f"load_timezone {name!r} is not a time zone that this machine knows.",
        field="load_timezone",
        fix="use a name of the IANA list, such as Europe/Berlin or UTC; where it is one, see that the "
        "package tzdata is up to date on the machine that says so",
    )
