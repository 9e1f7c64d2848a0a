"""When a target is due to be compacted, or to be rid of files that no version needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: A reader of an older version is given this long: a running load or check, a query, a person who restores
#: what a load has spoilt. Delta's own bound, which people can lower for a table.
LEAST_RETENTION = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class MaintenancePolicy:
    """How often a row wants its target maintained; None: never."""

    optimize_every: timedelta | None
    vacuum_every: timedelta | None

    @property
    def longest(self) -> timedelta:
        """How far back a history has to be read to know what is due."""
        return max(self.optimize_every or timedelta(), self.vacuum_every or timedelta())


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What a target's own history and settings say; times with zone, None: not as far as was looked."""

    optimized_at: datetime | None
    vacuumed_at: datetime | None
    #: The last commit of any other kind.
    changed_at: datetime | None
    #: How long the table keeps files that no version needs any more.
    retention: timedelta


def optimize_is_due(policy: MaintenancePolicy, upkeep: Upkeep, now: datetime) -> bool:
    """Return whether it is long enough ago, and the table has changed since."""
    changed, last = upkeep.changed_at, upkeep.optimized_at
    if last is not None and (changed is None or changed <= last):
        return False
    return _is_due(policy.optimize_every, last, now)


def vacuum_is_due(policy: MaintenancePolicy, upkeep: Upkeep, now: datetime) -> bool:
    """Return whether it is long enough ago."""
    return _is_due(policy.vacuum_every, upkeep.vacuumed_at, now)


def _is_due(every: timedelta | None, last: datetime | None, now: datetime) -> bool:
    return every is not None and (last is None or now - last >= every)
