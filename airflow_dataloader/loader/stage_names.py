"""Names that tell whose a stage beside a target is, and whose a session at a source."""

from __future__ import annotations

import re

from airflow_dataloader.control.stages import StageOwner
from airflow_dataloader.core.commit import loader_mark
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.engines.protocol import STAGE_PREFIX

#: A stage's name; an id is a positive ``bigint``.
_ID = r"([1-9][0-9]{0,17})"
_STAGE = re.compile(STAGE_PREFIX + rf"([0-9a-f]{{8}})_(?:b{_ID}|{_ID}(?:_([0-9a-f]{{8}}))?)")


def stage_name(target: TargetName, installation: str, metadata_id: int, nonce: str) -> TargetName:
    """Return the staging table of a load, beside its target.

    Two control databases may write to one schema and count their loads alike, so both are in the name; and
    what the loader made up for itself, since one may be a copy of the other.
    """
    table = f"{STAGE_PREFIX}{installation[:8]}_{metadata_id}_{loader_mark(nonce)}"
    return TargetName(catalog=target.catalog, schema=target.schema, table=table)


def backfill_stage_name(target: TargetName, installation: str, backfill_id: int) -> TargetName:
    """Return the table that a backfill's chunks wait in; it outlives the loads that fill it."""
    table = f"{STAGE_PREFIX}{installation[:8]}_b{backfill_id}"
    return TargetName(catalog=target.catalog, schema=target.schema, table=table)


def stage_owner(table: str) -> StageOwner | None:
    """Return the owner that a stage's name tells, or None where no load or backfill of ours has that name."""
    match = _STAGE.fullmatch(table)
    if match is None:
        return None
    installation, backfill_id, load_id, loader = match.groups()
    return StageOwner(
        installation=installation, backfill=bool(backfill_id), id=int(backfill_id or load_id), loader=loader
    )


def application_name(installation: str, metadata_id: int) -> str:
    """Return the name under which a load is known at its source."""
    return f"adl-{installation[:8]}-{metadata_id}"
