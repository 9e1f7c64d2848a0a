"""Which stages are no longer needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.names import TargetName

_SCHEMAS = text("""
SELECT DISTINCT ON (h.target_catalog, h.target_schema) h.target_catalog, h.target_schema, h.target_table
FROM control.historical_metadata h
WHERE h.target_catalog IS NOT NULL AND h.target_schema IS NOT NULL AND h.target_table IS NOT NULL
    AND h.start_nonce IS NOT NULL
    AND (CAST(:loads AS bigint[]) IS NULL OR h.id = ANY (:loads))
    AND (CAST(:rows AS bigint[]) IS NULL OR h.config_id = ANY (:rows))
ORDER BY 1, 2""")

#: A load's stage, once the load is over: at once where its own loader ended it and knows what it wrote. Where
#: somebody else gave the load up, a server may still run the write that reads the stage, until a later load
#: has fenced or published to the same target, or until longer than any write of it may last. A load that is
#: not on record was pruned, if later ones are that are a day old. Else a restored database does not know of
#: it yet; or a copy does not, whose numbers go on further up while the load runs where the copy was made.
#:
#: A backfill's stage, once its plan has ended, or is gone with its row: the load that ends a plan has fenced
#: whatever an earlier one wrote.
_OVER = text("""
SELECT s.number
FROM jsonb_to_recordset(CAST(:stages AS jsonb)) AS s(
    number integer, installation text, backfill boolean, id bigint, loader text)
JOIN control.installation i ON left(i.id, 8) = s.installation
LEFT JOIN control.historical_metadata h ON h.id = s.id AND NOT s.backfill
LEFT JOIN control.backfill b ON b.id = s.id AND s.backfill
WHERE CASE
    WHEN s.backfill AND b.id IS NULL THEN
        s.id <= pg_sequence_last_value(CAST(pg_get_serial_sequence('control.backfill', 'id') AS regclass))
    WHEN s.backfill THEN b.status <> 'open'
    WHEN h.id IS NULL THEN s.id < (
        SELECT max(id) FROM control.historical_metadata
        WHERE load_queued_time < clock_timestamp() - interval '1 day')
    -- A loader's of the same load in a copy of this database, or in the one that this is a copy of. Here the
    -- load may never have started.
    WHEN s.loader IS NOT NULL AND s.loader IS DISTINCT FROM
        left(encode(sha256(convert_to(h.start_nonce, 'UTF8')), 'hex'), 8) THEN false
    WHEN h.load_status IN ('Queued', 'In Progress') THEN false
    WHEN NOT control.is_uncertain(h) THEN true
    WHEN h.load_end_time < clock_timestamp() - greatest(
        interval '1 day',
        make_interval(mins => CAST(h.config_snapshot ->> 'max_runtime_minutes' AS integer))) THEN true
    ELSE EXISTS (
        SELECT FROM control.historical_metadata n
        WHERE control.target_key(n) = control.target_key(h) AND n.id > h.id AND control.has_fenced(n))
    END""")


@dataclass(frozen=True, kw_only=True)
class StageOwner:
    """Whose stage a table is, as its name tells."""

    #: The first eight digits of the installation's id.
    installation: str
    #: Whether ``id`` is a backfill's instead of a load's.
    backfill: bool
    id: int
    #: Which loader's (:func:`airflow_dataloader.core.commit.loader_mark`); None: the name does not tell.
    loader: str | None = None


def one_target_a_schema(
    engine: Engine, *, loads: Sequence[int] | None = None, rows: Sequence[int] | None = None
) -> list[TargetName]:
    """Return one target in each schema that loads on record wrote to.

    ``loads`` and ``rows`` limit them to those loads, and to those rows' loads.
    """
    values = {
        "loads": None if loads is None else list(loads),
        "rows": None if rows is None else list(rows),
    }
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(_SCHEMAS, values, execution_options=LAST).all()
    return [
        TargetName(catalog=row.target_catalog, schema=row.target_schema, table=row.target_table)
        for row in found
    ]


def are_over(engine: Engine, owners: Sequence[StageOwner]) -> list[bool]:
    """Say of each stage whether nobody needs it any more. Ask after the stages were seen, not before.

    False for another installation's, and for what this database does not know.
    """
    items = [
        {
            "number": number,
            "installation": owner.installation,
            "backfill": owner.backfill,
            "id": owner.id,
            "loader": owner.loader,
        }
        for number, owner in enumerate(owners)
    ]
    with transaction(engine, readonly=True) as connection:
        over = set(connection.execute(_OVER, {"stages": json.dumps(items)}, execution_options=LAST).scalars())
    return [number in over for number in range(len(owners))]
