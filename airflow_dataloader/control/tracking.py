"""Recording where a load runs, and how far it has come, while it lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, TextClause, text

from airflow_dataloader.control.fenced import raise_fenced
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.control.tries import try_number
from airflow_dataloader.exceptions import ConfigurationError

#: As the documents have it.
LONGEST_URL = 500

#: ``held`` locks the row before the record, as every statement does that writes both. A try that stood still
#: takes nothing from a newer one: until a try has attached, the name on record is that of a try of the claim.
_TRACK = text("""
WITH held AS MATERIALIZED (
    SELECT t.config_id FROM control.table_control t
    WHERE t.config_id = (SELECT config_id FROM control.historical_metadata WHERE id = :metadata_id)
        AND t.load_epoch = :epoch
    FOR UPDATE
),
load AS (
    UPDATE control.historical_metadata h SET
        databricks_run = coalesce(:databricks_run, h.databricks_run),
        workspace_host = coalesce(:workspace_host, h.workspace_host),
        submit_token = coalesce(:submit_token, h.submit_token),
        airflow_task = coalesce(:airflow_task, h.airflow_task)
    FROM held
    WHERE h.id = :metadata_id AND h.epoch = :epoch AND h.load_status IN ('Queued', 'In Progress')
        AND h.config_id = held.config_id
        AND (CAST(:airflow_task AS text) IS NULL OR h.submit_token IS NULL
            OR coalesce(CAST(substring(h.airflow_task FROM '/([0-9]+)$') AS numeric), 0) <= :number)
    RETURNING h.config_id
),
moved AS (
    UPDATE control.table_control t SET
        last_airflow_run = coalesce(:airflow_url, t.last_airflow_run),
        last_databricks_run = coalesce(:databricks_url, t.last_databricks_run)
    FROM load WHERE t.config_id = load.config_id
        AND (t.last_airflow_run IS DISTINCT FROM coalesce(:airflow_url, t.last_airflow_run)
            OR t.last_databricks_run IS DISTINCT FROM coalesce(:databricks_url, t.last_databricks_run))
)
SELECT FROM load""")

_COUNT = text("""
UPDATE control.historical_metadata h SET
    rows_read = coalesce(:rows_read, h.rows_read),
    rows_inserted = coalesce(:rows_inserted, h.rows_inserted),
    rows_updated = coalesce(:rows_updated, h.rows_updated)
FROM control.table_control t
WHERE h.id = :metadata_id AND h.epoch = :epoch AND h.start_nonce = :nonce AND h.load_status = 'In Progress'
    AND t.config_id = h.config_id AND t.load_epoch = :epoch AND t.last_status = 'In Progress'""")


def update_run_tracking(
    engine: Engine,
    metadata_id: int,
    epoch: int,
    *,
    airflow_url: str | None = None,
    databricks_url: str | None = None,
    databricks_run: str | None = None,
    workspace_host: str | None = None,
    submit_token: str | None = None,
    airflow_task: str | None = None,
) -> None:
    """Record where a live load runs; what is None stays. Repeatable.

    ``airflow_task``: the try that answers for it, :func:`~airflow_dataloader.control.tries.try_name`. Raises
    Fenced when the load is over or a newer try of its task answers for it, and then records nothing;
    ConfigurationError for a URL of more than 500 characters.
    """
    for name, url in {"airflow_url": airflow_url, "databricks_url": databricks_url}.items():
        if url is not None and len(url) > LONGEST_URL:
            raise ConfigurationError(
                f"The {name} of load {metadata_id} has {len(url)} characters, of which the control database "
                f"keeps {LONGEST_URL}.",
                field=name,
                fix="use a shorter one",
            )
    values = {
        "metadata_id": metadata_id,
        "epoch": epoch,
        "airflow_url": airflow_url,
        "databricks_url": databricks_url,
        "databricks_run": databricks_run,
        "workspace_host": workspace_host,
        "submit_token": submit_token,
        "airflow_task": airflow_task,
        "number": try_number(airflow_task),
    }
    _write_live(engine, _TRACK, metadata_id, epoch, values)


def update_metadata(
    engine: Engine,
    metadata_id: int,
    epoch: int,
    nonce: str,
    *,
    rows_read: int | None = None,
    rows_inserted: int | None = None,
    rows_updated: int | None = None,
) -> None:
    """Record how far a running load has come; what is None stays. Raises Fenced."""
    values = {
        "metadata_id": metadata_id,
        "epoch": epoch,
        "nonce": nonce,
        "rows_read": rows_read,
        "rows_inserted": rows_inserted,
        "rows_updated": rows_updated,
    }
    _write_live(engine, _COUNT, metadata_id, epoch, values)


def _write_live(
    engine: Engine, statement: TextClause, metadata_id: int, epoch: int, values: Mapping[str, Any]
) -> None:
    with transaction(engine) as connection:
        hit = connection.execute(statement, values, execution_options=LAST).rowcount
    if hit == 0:
        raise_fenced(engine, metadata_id, epoch, airflow_task=values.get("airflow_task"))
