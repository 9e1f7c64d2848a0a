-- The control database as the documents give it, word for word (the first line apart: control lives in its
-- own schema, which they take for granted). The tests adopt it.
CREATE SCHEMA control;

CREATE TABLE control.table_control_dbconfig (
    db_config_key VARCHAR(100) PRIMARY KEY,
    db_config_value JSONB NOT NULL,
    db_type VARCHAR(50) NOT NULL,
    db_kv_scope VARCHAR(100) DEFAULT 'azure-keyvault',
    default_target_schema VARCHAR(255),

    -- Audit
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_modified_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    create_user VARCHAR(255),
    last_modified_user VARCHAR(255)
);

CREATE TABLE control.table_control (
    -- Primary Key
    config_id BIGSERIAL PRIMARY KEY,

    -- Computed key (SHA-256 hash of source identifiers)
    control_key BYTEA GENERATED ALWAYS AS (
        digest(source_table_catalog || source_table_schema || source_table_name, 'sha256')
    ) STORED,

    -- Status & Control
    is_active BOOLEAN DEFAULT false NOT NULL,
    last_status VARCHAR(255),
    db_config_key VARCHAR(255),

    -- Source Identification
    source_table_catalog VARCHAR(255),
    source_table_schema VARCHAR(255),
    source_table_name VARCHAR(255),
    query TEXT,  -- Optional custom SQL

    -- Destination Identification
    destination_table_catalog VARCHAR(255),
    destination_table_schema VARCHAR(255),
    destination_table_name VARCHAR(255),

    -- Load Strategy
    load_strategy VARCHAR(255),
    load_full VARCHAR(255),
    load_cron VARCHAR(255),

    -- Incremental Configuration
    incremental_column TEXT,
    incremental_type VARCHAR(255),
    incremental_value VARCHAR(255),

    -- Rolling Configuration
    rolling_column TEXT,
    rolling_days INTEGER,

    -- Partitioning Configuration
    num_partitions INTEGER,
    partition_column TEXT,
    lower_bound VARCHAR(255),
    upper_bound VARCHAR(255),
    primary_key_cols TEXT,

    -- Timing & Status
    last_load_date_time TIMESTAMP,
    next_load_date_time TIMESTAMP,
    last_status_date_time TIMESTAMP,
    last_status_message TEXT,

    -- Run Tracking
    last_dagster_run VARCHAR(500),
    last_databricks_run VARCHAR(500),

    -- Audit
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_modified_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    create_user VARCHAR(255),
    last_modified_user VARCHAR(255)
);

CREATE TABLE control.historical_metadata (
    id BIGSERIAL PRIMARY KEY,
    control_key BYTEA NOT NULL,
    run_id VARCHAR(255),

    -- Timing
    load_queued_time TIMESTAMP,
    load_start_time TIMESTAMP,
    load_end_time TIMESTAMP,
    total_duration INTEGER,

    -- Table Identification
    source_catalog VARCHAR(255),
    source_schema VARCHAR(255),
    source_table VARCHAR(255),
    target_catalog VARCHAR(255),
    target_schema VARCHAR(255),
    target_table VARCHAR(255),

    -- Metrics
    rows_processed BIGINT DEFAULT 0,
    load_status VARCHAR(255),
    log_message TEXT,

    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE control.table_control_history (
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

CREATE VIEW control.table_control_history_vw AS
SELECT
    h.history_id,
    h.config_id,
    encode(h.control_key, 'hex') as control_key_hex,
    t.db_config_key,
    t.source_table_name,
    h.changed_at,
    h.changed_by,
    h.change_type,
    h.change_source,
    h.old_values,
    h.new_values,
    h.changed_fields
FROM control.table_control_history h
LEFT JOIN control.table_control t ON h.config_id = t.config_id;

CREATE INDEX idx_table_control_control_key ON control.table_control (control_key);
CREATE INDEX idx_history_control_key ON control.table_control_history (control_key);
CREATE INDEX idx_history_config_id ON control.table_control_history (config_id);
CREATE INDEX idx_history_changed_at ON control.table_control_history (changed_at);
CREATE INDEX idx_history_changed_by ON control.table_control_history (changed_by);

ALTER TABLE control.table_control ADD FOREIGN KEY (db_config_key)
    REFERENCES control.table_control_dbconfig (db_config_key) ON DELETE SET NULL ON UPDATE CASCADE;
