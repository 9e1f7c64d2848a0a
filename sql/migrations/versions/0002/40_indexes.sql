-- Every partial index repeats its query's condition word for word, because that is how the planner knows it.
-- No heartbeat column (lease_until, reaping_until, progress_at) is in an index or in a condition of one.

-- The documents' ready rows, by slot.
CREATE INDEX table_control_ready ON control.table_control (next_load_date_time)
    WHERE is_active AND (last_status IS NULL OR last_status NOT IN ('Queued', 'In Progress'));

-- The claim's long way, 45_claim.sql: the same rows by priority, highest first, and source by source. It walks the
-- priorities that occur (each found by one look below the last) and asks every source that is open and has room for
-- its first few: equal priority, equal source, slot up to now. So a source at its limit costs nothing however long its
-- backlog is. 1,000,000 rows, 200 sources, 3 priorities, one backlog of 100,000: 2.6 ms.
CREATE INDEX table_control_ready_by_source
    ON control.table_control (priority DESC, db_config_key, next_load_date_time, config_id)
    WHERE is_active AND (last_status IS NULL OR last_status NOT IN ('Queued', 'In Progress'));

-- The claim's short way: its own order, with the source beside it, so that a look begins with the rows that come first.
CREATE INDEX table_control_ready_in_order
    ON control.table_control (priority DESC, next_load_date_time, config_id) INCLUDE (db_config_key)
    WHERE is_active AND (last_status IS NULL OR last_status NOT IN ('Queued', 'In Progress'));

-- Rows with a cron that wait for their slot. A cron that cannot be read is kept out with slot 'infinity'.
CREATE INDEX table_control_unarmed ON control.table_control (config_id)
    WHERE is_active AND load_cron IS NOT NULL AND next_load_date_time IS NULL;

-- What runs, source by source: a few rows, however large the table.
CREATE INDEX table_control_live ON control.table_control (db_config_key)
    WHERE last_status IN ('Queued', 'In Progress');

CREATE INDEX table_control_failed ON control.table_control (last_status_date_time)
    WHERE last_status = 'Failed';

CREATE INDEX table_control_landing ON control.table_control (config_id)
    WHERE last_status = 'Succeeded' AND staging_model_processed = false;

-- All rows of a source: for the foreign key, and when a source's default schema changes.
CREATE INDEX table_control_source ON control.table_control (db_config_key);

CREATE UNIQUE INDEX table_control_one_active_row_per_destination
    ON control.table_control (control.destination_key(resolved_destination))
    WHERE is_active;

-- One load an epoch. Old records have no epoch, and NULLs are all different.
CREATE UNIQUE INDEX historical_metadata_one_load_per_epoch
    ON control.historical_metadata (config_id, epoch);

-- A row's loads, newest last.
CREATE INDEX historical_metadata_loads ON control.historical_metadata (config_id, id);

-- A target's loads, whichever row they belong to: those that fenced it or published to it, and those whose
-- writes may be unknown. The planner writes control.target_key(), has_fenced() and is_uncertain() out to
-- these expressions and conditions: 35_loads_on_record.sql.
CREATE INDEX historical_metadata_fenced ON control.historical_metadata (
    control.destination_key(control.destination(target_catalog, target_schema, NULL, target_table)), id)
    WHERE target_version IS NOT NULL OR receipt ->> 'fence_version' IS NOT NULL;
CREATE INDEX historical_metadata_unsettled ON control.historical_metadata (
    control.destination_key(control.destination(target_catalog, target_schema, NULL, target_table)), id)
    WHERE start_nonce IS NOT NULL AND load_status <> 'Succeeded' AND adopted_by IS NULL;

-- The documents' execution history.
CREATE INDEX historical_metadata_control_key ON control.historical_metadata (control_key, load_start_time);

-- What an Airflow run has claimed.
CREATE INDEX historical_metadata_airflow_run ON control.historical_metadata (airflow_run, id)
    WHERE airflow_run IS NOT NULL;

-- Loads that live. Old records that were never ended have no epoch and belong to nobody.
CREATE INDEX historical_metadata_live ON control.historical_metadata (config_id)
    WHERE load_status IN ('Queued', 'In Progress') AND epoch IS NOT NULL;
