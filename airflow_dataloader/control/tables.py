"""The control database's tables, for SQLAlchemy Core.

``sql/migrations`` makes them, with their defaults, checks, indexes and triggers, and says what each column
means; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import FetchedValue

SCHEMA = "control"

#: Alembic's own table, in ``SCHEMA``.
VERSION_TABLE = "dataloader_version"

#: The newest migration. A constant, because the migrations do not travel to a cluster; a test compares.
VERSION = "0002"

METADATA = MetaData(schema=SCHEMA)

_TIME = DateTime(timezone=True)
_FILLED = FetchedValue()

#: None is SQL's NULL, not JSON's null.
_JSON = JSONB(none_as_null=True)


def _audit() -> list[Column[object]]:
    return [
        Column("created_at", _TIME, server_default=_FILLED),
        Column("last_modified_at", _TIME, server_default=_FILLED),
        Column("create_user", String(255)),
        Column("last_modified_user", String(255)),
    ]


dbconfig = Table(
    "table_control_dbconfig",
    METADATA,
    Column("db_config_key", String(100), primary_key=True),
    Column("db_config_value", _JSON, nullable=False),
    Column("db_type", String(50), nullable=False),
    Column("db_kv_scope", String(100), server_default=_FILLED),
    Column("default_target_schema", String(255)),
    *_audit(),
    Column("max_concurrent_loads", Integer, nullable=False, server_default=_FILLED),
    Column("connection_options", _JSON, nullable=False, server_default=_FILLED),
    Column("paused_until", _TIME),
    Column("pause_reason", Text),
)

table_control = Table(
    "table_control",
    METADATA,
    Column("config_id", BigInteger, primary_key=True),
    Column("control_key", LargeBinary, server_default=_FILLED),
    Column("is_active", Boolean, nullable=False, server_default=_FILLED),
    Column("last_status", String(255)),
    Column("db_config_key", String(255), ForeignKey(dbconfig.c.db_config_key)),
    Column("source_table_catalog", String(255)),
    Column("source_table_schema", String(255)),
    Column("source_table_name", String(255)),
    Column("query", Text),
    Column("destination_table_catalog", String(255)),
    Column("destination_table_schema", String(255)),
    Column("destination_table_name", String(255)),
    Column("load_strategy", String(255)),
    Column("load_full", String(255)),
    Column("load_cron", String(255)),
    Column("incremental_column", Text),
    Column("incremental_type", String(255)),
    Column("incremental_value", Text),
    Column("rolling_column", Text),
    Column("rolling_days", Integer),
    Column("num_partitions", Integer),
    Column("partition_column", Text),
    Column("lower_bound", String(255)),
    Column("upper_bound", String(255)),
    Column("primary_key_cols", Text),
    Column("last_load_date_time", _TIME),
    Column("next_load_date_time", _TIME),
    Column("last_status_date_time", _TIME),
    Column("last_status_message", Text),
    Column("last_airflow_run", String(500)),
    Column("last_databricks_run", String(500)),
    *_audit(),
    Column("retry_count", Integer, nullable=False, server_default=_FILLED),
    Column("staging_model_processed", Boolean, nullable=False, server_default=_FILLED),
    Column("priority", Integer, nullable=False, server_default=_FILLED),
    Column("load_timezone", String(64), nullable=False, server_default=_FILLED),
    Column("max_runtime_minutes", Integer, nullable=False, server_default=_FILLED),
    Column("freshness_minutes", Integer),
    Column("owner", String(255)),
    Column("tags", ARRAY(Text), nullable=False, server_default=_FILLED),
    Column("lookback", String(64)),
    Column("chunk_size", String(64)),
    Column("null_cursor_policy", String(20), nullable=False, server_default=_FILLED),
    Column("schema_policy", String(20), nullable=False, server_default=_FILLED),
    Column("value_policy", String(20), nullable=False, server_default=_FILLED),
    Column("empty_source_policy", String(20), nullable=False, server_default=_FILLED),
    Column("shrink_guard_percent", Integer),
    Column("rolling_retention", String(20), nullable=False, server_default=_FILLED),
    Column("delete_policy", String(20), nullable=False, server_default=_FILLED),
    Column("delete_cron", String(255)),
    Column("next_delete_scan", _TIME),
    Column("load_columns_policy", String(20), nullable=False, server_default=_FILLED),
    Column("cluster_by_key", Boolean, nullable=False, server_default=_FILLED),
    Column("optimize_every_hours", Integer),
    Column("vacuum_every_hours", Integer),
    Column("load_epoch", BigInteger, nullable=False, server_default=_FILLED),
    Column("row_version", Integer, nullable=False, server_default=_FILLED),
    Column("resolved_destination", Text),
    Column("watermark_of", String(64)),
)

historical_metadata = Table(
    "historical_metadata",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("control_key", LargeBinary, nullable=False),
    Column("run_id", String(255)),
    Column("load_queued_time", _TIME),
    Column("load_start_time", _TIME),
    Column("load_end_time", _TIME),
    Column("total_duration", Integer),
    Column("source_catalog", String(255)),
    Column("source_schema", String(255)),
    Column("source_table", String(255)),
    Column("target_catalog", String(255)),
    Column("target_schema", String(255)),
    Column("target_table", String(255)),
    Column("rows_processed", BigInteger, server_default=_FILLED),
    Column("load_status", String(255)),
    Column("log_message", Text),
    Column("created_at", _TIME, server_default=_FILLED),
    Column("config_id", BigInteger),
    Column("epoch", BigInteger),
    Column("attempt", Integer),
    Column("trigger", String(20)),
    Column("mode", String(50)),
    Column("airflow_run", String(255)),
    Column("airflow_task", String(500)),
    Column("airflow_base_url", Text),
    Column("databricks_run", String(500)),
    Column("workspace_host", Text),
    Column("submit_token", String(64)),
    Column("start_nonce", String(64)),
    Column("lease_until", _TIME),
    Column("reaping_until", _TIME),
    Column("progress_at", _TIME),
    Column("rows_read", BigInteger),
    Column("rows_inserted", BigInteger),
    Column("rows_updated", BigInteger),
    Column("rows_deleted", BigInteger),
    Column("watermark_low", Text),
    Column("watermark_high", Text),
    Column("target_version", BigInteger),
    Column("config_snapshot", _JSON),
    Column("receipt", _JSON),
    Column("failure", _JSON),
    Column("verdict", _JSON),
    Column("adopted_by", BigInteger),
    Column("writer_epoch", BigInteger),
)

table_control_history = Table(
    "table_control_history",
    METADATA,
    Column("history_id", BigInteger, primary_key=True),
    Column("control_key", LargeBinary, nullable=False),
    Column("config_id", BigInteger),
    Column("changed_at", _TIME, server_default=_FILLED),
    Column("changed_by", String(255)),
    Column("change_type", String(20), nullable=False),
    Column("change_source", String(50)),
    Column("old_values", _JSON),
    Column("new_values", _JSON),
    Column("changed_fields", ARRAY(Text)),
)

installation = Table(
    "installation",
    METADATA,
    Column("id", String(32), primary_key=True, server_default=_FILLED),
    Column("only_row", Boolean, nullable=False, server_default=_FILLED),
    Column("timestamps_zone", String(64)),
    Column("created_at", _TIME, nullable=False, server_default=_FILLED),
)

backfill = Table(
    "backfill",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("config_id", BigInteger, ForeignKey(table_control.c.config_id), nullable=False),
    Column("status", String(20), nullable=False, server_default=_FILLED),
    Column("mode", String(20), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("low", Text),
    Column("high", Text),
    Column("watermark", Text),
    Column("started_by", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_FILLED),
    Column("ended_at", _TIME),
)

load_chunk = Table(
    "load_chunk",
    METADATA,
    Column("backfill_id", BigInteger, ForeignKey(backfill.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("low", Text),
    Column("high", Text),
    Column("null_cursor", Boolean, nullable=False, server_default=_FILLED),
    Column("metadata_id", BigInteger),
    Column("rows_read", BigInteger),
    Column("rows_published", BigInteger),
    Column("target_version", BigInteger),
    Column("committed_at", _TIME),
)
