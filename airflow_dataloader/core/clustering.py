"""By which columns a new target is clustered."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import ConfigurationError

#: Columns that Delta clusters by at most.
MOST_CLUSTERED = 4

#: Leading columns that Delta keeps the least and the greatest value of, without which it cannot cluster.
WITH_STATISTICS = 32

_NUMBERS = {"tinyint", "smallint", "int", "bigint", "float", "double"}
_TYPES = frozenset({"date", "timestamp", "timestamp_ntz", "string"} | _NUMBERS)


def clustering(key: Sequence[PlannedColumn], columns: Sequence[PlannedColumn], label: str) -> tuple[str, ...]:
    """Return the target's names of the key, if a table of ``columns`` can be clustered by it.

    Raises ConfigurationError naming the row by ``label``, and the column that stands in the way.
    """
    leading = columns[:WITH_STATISTICS]
    for column in key:
        why = None
        if column.type not in _TYPES and not column.type.startswith("decimal("):
            why = f"is of type {column.type}"
        elif column not in leading:
            why = f"is not among the first {WITH_STATISTICS}"
        if why is not None:
            raise ConfigurationError(
                f"The target of {label} cannot be clustered: key column {column.source_name!r} {why}.",
                field="cluster_by_key",
                fix="set cluster_by_key = false on the row",
            )
    # `id, ID` names one column, by which Delta does not cluster twice.
    return tuple(dict.fromkeys(column.name for column in key))
