-- Loads that are queued or running, with their lease and where they run.
SELECT
    h.id AS metadata_id,
    t.config_id,
    t.db_config_key,
    coalesce(t.source_table_name, t.destination_table_name) AS table_name,
    h.load_status,
    h.load_queued_time,
    h.load_start_time,
    h.lease_until,
    h.lease_until < clock_timestamp() AS lease_is_out,
    h.progress_at,
    h.airflow_run,
    h.databricks_run
FROM control.historical_metadata h
JOIN control.table_control t ON t.config_id = h.config_id AND t.load_epoch = h.epoch
WHERE h.load_status IN ('Queued', 'In Progress')
  AND h.epoch IS NOT NULL
ORDER BY h.load_queued_time;
