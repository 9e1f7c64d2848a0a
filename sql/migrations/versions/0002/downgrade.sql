-- Back to the documents' columns. The view is gone already.

DROP TRIGGER zz_table_control_05_epoch_given ON control.table_control;
DROP TRIGGER zz_table_control_05_epoch_edited ON control.table_control;
DROP TRIGGER zz_table_control_05_identity ON control.table_control;
DROP TRIGGER zz_table_control_10_status_created ON control.table_control;
DROP TRIGGER zz_table_control_10_status_moved ON control.table_control;
DROP TRIGGER zz_table_control_20_slot_given ON control.table_control;
DROP TRIGGER zz_table_control_21_arm ON control.table_control;
DROP TRIGGER zz_table_control_22_arm_delete_scan ON control.table_control;
DROP TRIGGER zz_table_control_30_destination_created ON control.table_control;
DROP TRIGGER zz_table_control_30_destination_changed ON control.table_control;
DROP TRIGGER zz_table_control_35_watermark ON control.table_control;
DROP TRIGGER zz_table_control_40_edit ON control.table_control;
DROP TRIGGER zz_table_control_40_creation ON control.table_control;
DROP TRIGGER zz_table_control_50_history ON control.table_control;
DROP TRIGGER zz_table_control_50_history_of_edits ON control.table_control;
DROP TRIGGER zz_table_control_50_history_of_truncation ON control.table_control;
DROP TRIGGER zz_table_control_dbconfig_30_default_changed ON control.table_control_dbconfig;
DROP TRIGGER zz_table_control_dbconfig_40_edit ON control.table_control_dbconfig;

DROP INDEX control.table_control_ready, control.table_control_ready_by_source,
    control.table_control_ready_in_order, control.table_control_unarmed,
    control.table_control_live, control.table_control_failed, control.table_control_landing,
    control.table_control_source, control.table_control_one_active_row_per_destination,
    control.historical_metadata_one_load_per_epoch, control.historical_metadata_loads,
    control.historical_metadata_control_key, control.historical_metadata_airflow_run,
    control.historical_metadata_live, control.historical_metadata_fenced,
    control.historical_metadata_unsettled;

DROP FUNCTION control.check_epoch(), control.refuse_another_id(), control.check_status_move(),
    control.may_move(text, text), control.repairing(),
    control.is_unarmed(control.table_control),
    control.note_given_slot(), control.arm(), control.arm_delete_scan(), control.resolve_destination(),
    control.resolve_destinations_of_source(), control.destination(text, text, text, text),
    control.destination_key(text), control.own_watermark(),
    control.record_change(), control.count_edit(), control.count_creation(),
    control.count_source_edit(), control.record_truncation(),
    control.is_of_a_load(control.table_control, control.table_control, jsonb, jsonb),
    control.is_moved_by_hand(text, text), control.is_loader(text), control.change_source(), control.changed_by(),
    control.given(text), control.configuration(control.table_control), control.require_version(text),
    control.target_key(control.historical_metadata), control.has_fenced(control.historical_metadata),
    control.is_uncertain(control.historical_metadata), control.seconds_since(timestamptz),
    control.snapshot(control.table_control, control.table_control_dbconfig),
    control.frozen(control.table_control, control.table_control_dbconfig),
    control.take_rows(integer, integer, bigint[], bigint[]),
    control.begin_claim(text, text, bigint, integer, integer, bigint[]),
    control.queue_rows(jsonb, text, text, text, interval);

DROP TYPE control.load_configuration;

-- Epochs go with the installation's id: a later upgrade gets a new id, under which no target has seen any.
DROP TABLE control.load_chunk, control.backfill, control.installation;

-- retry_count and staging_model_processed stay: the documents' queries use them.
ALTER TABLE control.table_control RENAME COLUMN last_airflow_run TO last_dagster_run;
ALTER TABLE control.table_control
    DROP COLUMN priority, DROP COLUMN load_timezone, DROP COLUMN max_runtime_minutes,
    DROP COLUMN freshness_minutes, DROP COLUMN owner, DROP COLUMN tags, DROP COLUMN lookback,
    DROP COLUMN chunk_size,
    DROP COLUMN null_cursor_policy, DROP COLUMN schema_policy, DROP COLUMN value_policy,
    DROP COLUMN empty_source_policy, DROP COLUMN shrink_guard_percent, DROP COLUMN rolling_retention,
    DROP COLUMN delete_policy, DROP COLUMN delete_cron, DROP COLUMN next_delete_scan,
    DROP COLUMN load_columns_policy, DROP COLUMN cluster_by_key, DROP COLUMN optimize_every_hours,
    DROP COLUMN vacuum_every_hours, DROP COLUMN load_epoch,
    DROP COLUMN row_version, DROP COLUMN resolved_destination, DROP COLUMN watermark_of;
-- Refused where a watermark is longer than the documents have room for: cut short, it would be another value.
ALTER TABLE control.table_control ALTER COLUMN incremental_value TYPE VARCHAR(255);
ALTER TABLE control.table_control_dbconfig
    DROP COLUMN max_concurrent_loads, DROP COLUMN connection_options, DROP COLUMN paused_until,
    DROP COLUMN pause_reason;
ALTER TABLE control.historical_metadata
    DROP COLUMN config_id, DROP COLUMN epoch, DROP COLUMN attempt, DROP COLUMN trigger, DROP COLUMN mode,
    DROP COLUMN airflow_run, DROP COLUMN airflow_task, DROP COLUMN airflow_base_url,
    DROP COLUMN databricks_run, DROP COLUMN workspace_host, DROP COLUMN submit_token,
    DROP COLUMN start_nonce, DROP COLUMN lease_until, DROP COLUMN reaping_until, DROP COLUMN progress_at,
    DROP COLUMN rows_read, DROP COLUMN rows_inserted, DROP COLUMN rows_updated, DROP COLUMN rows_deleted,
    DROP COLUMN watermark_low, DROP COLUMN watermark_high, DROP COLUMN target_version,
    DROP COLUMN config_snapshot, DROP COLUMN receipt, DROP COLUMN failure, DROP COLUMN verdict,
    DROP COLUMN adopted_by, DROP COLUMN writer_epoch;
ALTER TABLE control.table_control RESET (fillfactor);
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_class
        WHERE oid = 'control.table_control'::regclass
            AND reloptions @> '{autovacuum_vacuum_scale_factor=0.01,autovacuum_vacuum_threshold=1000}')
    THEN
        ALTER TABLE control.table_control RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
    END IF;
END
$$;
ALTER TABLE control.historical_metadata RESET (fillfactor);
COMMENT ON SCHEMA control IS NULL;
