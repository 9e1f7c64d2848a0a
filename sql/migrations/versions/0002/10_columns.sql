-- Columns that the documents do not have. What a column means stands in 90_comments.sql.
--
-- CHECKs stand on new columns only: no old row can break them, and an edit that makes no sense is refused
-- where it is made. The documents' own columns carry none, because a CHECK refuses every later UPDATE of an
-- old row that breaks it, the claim's included; what is wrong with those rows the claim says, row by row.

ALTER TABLE control.table_control RENAME COLUMN last_dagster_run TO last_airflow_run;

-- The documents' queries use these two, so an older installation may have them already.
ALTER TABLE control.table_control
    ADD COLUMN IF NOT EXISTS retry_count INTEGER,
    ADD COLUMN IF NOT EXISTS staging_model_processed BOOLEAN;
UPDATE control.table_control SET retry_count = 0 WHERE retry_count IS NULL;
UPDATE control.table_control SET staging_model_processed = false WHERE staging_model_processed IS NULL;
ALTER TABLE control.table_control
    ALTER COLUMN retry_count SET DEFAULT 0,
    ALTER COLUMN retry_count SET NOT NULL,
    ALTER COLUMN staging_model_processed SET DEFAULT false,
    ALTER COLUMN staging_model_processed SET NOT NULL;

ALTER TABLE control.table_control
    ADD COLUMN priority INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN load_timezone VARCHAR(64) NOT NULL DEFAULT 'UTC',
    ADD COLUMN max_runtime_minutes INTEGER NOT NULL DEFAULT 180,
    ADD COLUMN freshness_minutes INTEGER,
    ADD COLUMN owner VARCHAR(255),
    ADD COLUMN tags TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN lookback VARCHAR(64),
    ADD COLUMN chunk_size VARCHAR(64),
    ADD COLUMN null_cursor_policy VARCHAR(20) NOT NULL DEFAULT 'include',
    ADD COLUMN schema_policy VARCHAR(20) NOT NULL DEFAULT 'evolve',
    ADD COLUMN value_policy VARCHAR(20) NOT NULL DEFAULT 'fail',
    ADD COLUMN empty_source_policy VARCHAR(20) NOT NULL DEFAULT 'fail',
    ADD COLUMN shrink_guard_percent INTEGER,
    ADD COLUMN rolling_retention VARCHAR(20) NOT NULL DEFAULT 'window',
    ADD COLUMN delete_policy VARCHAR(20) NOT NULL DEFAULT 'ignore',
    ADD COLUMN delete_cron VARCHAR(255),
    ADD COLUMN next_delete_scan TIMESTAMPTZ,
    ADD COLUMN load_columns_policy VARCHAR(20) NOT NULL DEFAULT 'none',
    ADD COLUMN cluster_by_key BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN optimize_every_hours INTEGER,
    ADD COLUMN vacuum_every_hours INTEGER,
    ADD COLUMN load_epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN row_version INTEGER NOT NULL DEFAULT 1,
    ADD COLUMN resolved_destination TEXT,
    ADD COLUMN watermark_of VARCHAR(64);

-- A watermark is a value of the source's cursor, and a text cursor may be longer than the documents allow.
ALTER TABLE control.table_control ALTER COLUMN incremental_value TYPE TEXT;

ALTER TABLE control.table_control
    -- A source counts a statement's time in milliseconds, of which an integer holds this many minutes.
    ADD CONSTRAINT table_control_max_runtime_minutes_check CHECK (max_runtime_minutes BETWEEN 1 AND 35791),
    ADD CONSTRAINT table_control_freshness_minutes_check CHECK (freshness_minutes > 0),
    ADD CONSTRAINT table_control_lookback_check
        CHECK (lookback ~* '^\s*(\d{1,18}|\d{1,9}\s*(second|minute|hour|day|week)s?)\s*$'),
    ADD CONSTRAINT table_control_chunk_size_check
        CHECK (chunk_size ~* '^\s*(\d{1,18}|\d{1,9}\s*(second|minute|hour|day|week)s?)\s*$' AND chunk_size ~ '[1-9]'),
    ADD CONSTRAINT table_control_null_cursor_policy_check
        CHECK (null_cursor_policy IN ('include', 'exclude', 'fail')),
    ADD CONSTRAINT table_control_schema_policy_check CHECK (schema_policy IN ('evolve', 'freeze', 'ignore')),
    ADD CONSTRAINT table_control_value_policy_check CHECK (value_policy IN ('fail', 'string', 'null')),
    ADD CONSTRAINT table_control_empty_source_policy_check CHECK (empty_source_policy IN ('fail', 'allow')),
    ADD CONSTRAINT table_control_shrink_guard_percent_check CHECK (shrink_guard_percent BETWEEN 0 AND 100),
    ADD CONSTRAINT table_control_rolling_retention_check CHECK (rolling_retention IN ('window', 'keep')),
    ADD CONSTRAINT table_control_delete_policy_check CHECK (delete_policy IN ('ignore', 'scan', 'soft')),
    ADD CONSTRAINT table_control_load_columns_policy_check
        CHECK (load_columns_policy IN ('none', 'id_and_time')),
    ADD CONSTRAINT table_control_optimize_every_hours_check CHECK (optimize_every_hours BETWEEN 1 AND 87600),
    ADD CONSTRAINT table_control_vacuum_every_hours_check CHECK (vacuum_every_hours BETWEEN 1 AND 87600),
    ADD CONSTRAINT table_control_load_epoch_check CHECK (load_epoch BETWEEN 0 AND 8796093022207);

ALTER TABLE control.table_control_dbconfig
    ADD COLUMN max_concurrent_loads INTEGER NOT NULL DEFAULT 10
        CONSTRAINT table_control_dbconfig_max_concurrent_loads_check CHECK (max_concurrent_loads > 0),
    ADD COLUMN connection_options JSONB NOT NULL DEFAULT '{}'
        CONSTRAINT table_control_dbconfig_connection_options_check
        CHECK (jsonb_typeof(connection_options) = 'object'),
    ADD COLUMN paused_until TIMESTAMPTZ,
    ADD COLUMN pause_reason TEXT;

ALTER TABLE control.historical_metadata
    ADD COLUMN config_id BIGINT,
    ADD COLUMN epoch BIGINT,
    ADD COLUMN attempt INTEGER,
    ADD COLUMN trigger VARCHAR(20)
        CONSTRAINT historical_metadata_trigger_check CHECK (trigger IN ('schedule', 'manual', 'retry')),
    ADD COLUMN mode VARCHAR(50),
    ADD COLUMN airflow_run VARCHAR(255),
    ADD COLUMN airflow_task VARCHAR(500),
    ADD COLUMN airflow_base_url TEXT,
    ADD COLUMN databricks_run VARCHAR(500),
    ADD COLUMN workspace_host TEXT,
    ADD COLUMN submit_token VARCHAR(64),
    ADD COLUMN start_nonce VARCHAR(64),
    ADD COLUMN lease_until TIMESTAMPTZ,
    ADD COLUMN reaping_until TIMESTAMPTZ,
    ADD COLUMN progress_at TIMESTAMPTZ,
    ADD COLUMN rows_read BIGINT,
    ADD COLUMN rows_inserted BIGINT,
    ADD COLUMN rows_updated BIGINT,
    ADD COLUMN rows_deleted BIGINT,
    ADD COLUMN watermark_low TEXT,
    ADD COLUMN watermark_high TEXT,
    ADD COLUMN target_version BIGINT,
    ADD COLUMN config_snapshot JSONB,
    ADD COLUMN receipt JSONB,
    ADD COLUMN failure JSONB,
    ADD COLUMN verdict JSONB,
    ADD COLUMN adopted_by BIGINT,
    ADD COLUMN writer_epoch BIGINT;

-- Old records name their table by control_key alone; they get the row's id where only one row has that key.
UPDATE control.historical_metadata h
SET config_id = t.config_id
FROM (
    SELECT control_key, min(config_id) AS config_id
    FROM control.table_control GROUP BY control_key HAVING count(*) = 1
) t
WHERE h.control_key = t.control_key;

-- Rows are updated in place many times a day; the room left in each page keeps those updates off the
-- indexes (HOT). It counts for pages written from now on.
ALTER TABLE control.table_control SET (fillfactor = 70);
ALTER TABLE control.historical_metadata SET (fillfactor = 70);

-- A claim leaves three dead entries of a row at the head of the queue, and every later look steps over them until they
-- are vacuumed: after 800 claims a look touched 335 blocks, and 139 after a vacuum. A fifth of a million rows,
-- PostgreSQL's default, is too late. Somebody's own settings stay.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_class, unnest(reloptions) AS option
        WHERE oid = 'control.table_control'::regclass AND option LIKE 'autovacuum_vacuum_%')
    THEN
        ALTER TABLE control.table_control
            SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
    END IF;
END
$$;
