-- The control database in the documents' own shape. Everything is "if not exists": what an installation of
-- the documents' system already has is left as it is, and the next migration takes it from there.

-- The documents hash with pgcrypto's digest(). No extension is needed: sha256() is PostgreSQL's own. It is
-- declared immutable, as a generated column demands, although convert_to() is only stable: its answer could
-- change only if somebody redefined the conversion from the database's encoding to UTF-8.
CREATE OR REPLACE FUNCTION control.source_key(catalog_name text, schema_name text, table_name text)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT pg_catalog.sha256(pg_catalog.convert_to(
        coalesce(catalog_name, '') || coalesce(schema_name, '') || coalesce(table_name, ''), 'UTF8'))
$$;

CREATE TABLE IF NOT EXISTS control.table_control_dbconfig (
    db_config_key VARCHAR(100) PRIMARY KEY,
    db_config_value JSONB NOT NULL,
    db_type VARCHAR(50) NOT NULL,
    db_kv_scope VARCHAR(100) DEFAULT 'azure-keyvault',
    default_target_schema VARCHAR(255),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_modified_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    create_user VARCHAR(255),
    last_modified_user VARCHAR(255)
);

CREATE TABLE IF NOT EXISTS control.table_control (
    config_id BIGSERIAL PRIMARY KEY,
    control_key BYTEA GENERATED ALWAYS AS (
        control.source_key(source_table_catalog, source_table_schema, source_table_name)
    ) STORED,
    is_active BOOLEAN DEFAULT false NOT NULL,
    last_status VARCHAR(255),
    db_config_key VARCHAR(255)
        CONSTRAINT table_control_db_config_key_fkey REFERENCES control.table_control_dbconfig
        ON DELETE SET NULL ON UPDATE CASCADE,
    source_table_catalog VARCHAR(255),
    source_table_schema VARCHAR(255),
    source_table_name VARCHAR(255),
    query TEXT,
    destination_table_catalog VARCHAR(255),
    destination_table_schema VARCHAR(255),
    destination_table_name VARCHAR(255),
    load_strategy VARCHAR(255),
    load_full VARCHAR(255),
    load_cron VARCHAR(255),
    incremental_column TEXT,
    incremental_type VARCHAR(255),
    incremental_value VARCHAR(255),
    rolling_column TEXT,
    rolling_days INTEGER,
    num_partitions INTEGER,
    partition_column TEXT,
    lower_bound VARCHAR(255),
    upper_bound VARCHAR(255),
    primary_key_cols TEXT,
    last_load_date_time TIMESTAMP,
    next_load_date_time TIMESTAMP,
    last_status_date_time TIMESTAMP,
    last_status_message TEXT,
    last_dagster_run VARCHAR(500),
    last_databricks_run VARCHAR(500),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_modified_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    create_user VARCHAR(255),
    last_modified_user VARCHAR(255)
);

CREATE TABLE IF NOT EXISTS control.historical_metadata (
    id BIGSERIAL PRIMARY KEY,
    control_key BYTEA NOT NULL,
    run_id VARCHAR(255),
    load_queued_time TIMESTAMP,
    load_start_time TIMESTAMP,
    load_end_time TIMESTAMP,
    total_duration INTEGER,
    source_catalog VARCHAR(255),
    source_schema VARCHAR(255),
    source_table VARCHAR(255),
    target_catalog VARCHAR(255),
    target_schema VARCHAR(255),
    target_table VARCHAR(255),
    rows_processed BIGINT DEFAULT 0,
    load_status VARCHAR(255),
    log_message TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS control.table_control_history (
    history_id BIGSERIAL PRIMARY KEY,
    control_key BYTEA NOT NULL,
    config_id BIGINT,
    changed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    changed_by VARCHAR(255),
    change_type VARCHAR(20) NOT NULL,
    change_source VARCHAR(50),
    old_values JSONB,
    new_values JSONB,
    changed_fields TEXT[]
);

CREATE INDEX IF NOT EXISTS idx_table_control_control_key ON control.table_control (control_key);
CREATE INDEX IF NOT EXISTS idx_history_control_key ON control.table_control_history (control_key);
CREATE INDEX IF NOT EXISTS idx_history_config_id ON control.table_control_history (config_id);
CREATE INDEX IF NOT EXISTS idx_history_changed_at ON control.table_control_history (changed_at);
CREATE INDEX IF NOT EXISTS idx_history_changed_by ON control.table_control_history (changed_by);
