"""The lock of a row, which statements take first: a running load's, and those of whoever decides about it."""

from __future__ import annotations

from sqlalchemy import TextClause, text

#: Nobody else moves the row until the transaction ends. Empty: the load is over, or was taken away.
_HELD = """
WITH held AS MATERIALIZED (
    SELECT t.* FROM control.table_control t
    WHERE t.config_id = :config_id AND t.load_epoch = :epoch AND t.last_status = 'In Progress'
    FOR UPDATE
)"""

#: Locks row ``config_id``, or where that is NULL the one of load ``metadata_id``. The next statement sees
#: whichever load a claim had just given it, and which try of a task had just taken that over.
HOLD_ROW = text("""
SELECT FROM control.table_control
WHERE config_id = coalesce(
    :config_id, (SELECT config_id FROM control.historical_metadata WHERE id = :metadata_id)) FOR UPDATE""")


def with_row_lock(statement: str) -> TextClause:
    """Return ``statement`` with its load's row locked before it, which it reads as ``held``.

    What it writes has to come from ``held``, so that nothing is written for a load that lost its row. Its
    parameters include ``config_id`` and ``epoch``; a statement that begins with a comma goes on with further
    common table expressions.
    """
    return text(_HELD + statement)
