-- What an installation of the documents' system may hold after a while. Times are Berlin's wall clock.
INSERT INTO control.table_control_dbconfig
    (db_config_key, db_config_value, db_type, default_target_schema, created_at, last_modified_at, create_user)
VALUES
    ('shop', '{"host": "shop-host"}', 'postgresql', 'Shop', '2024-03-31 01:59', '2024-03-31 03:01', 'anna'),
    ('erp', '{}', 'oracle', NULL, '2023-01-01', '2023-01-01', NULL);

INSERT INTO control.table_control
    (is_active, last_status, db_config_key, source_table_catalog, source_table_schema, source_table_name,
     destination_table_catalog, destination_table_schema, destination_table_name, load_strategy, load_cron,
     incremental_value, last_load_date_time, next_load_date_time, last_status_date_time, last_dagster_run,
     created_at, last_modified_user)
VALUES
    (true, 'Succeeded', 'shop', 'shop', 'public', 'orders', 'bronze', NULL, 'Orders', 'incremental', '0 2 * * *',
     '2024-07-01 12:00:00.123456', '2024-07-01 02:00', '2024-07-02 02:00', '2024-07-01 02:10',
     'https://dagster.example.org/runs/1', '2024-01-15 08:00', 'ben'),
    (true, 'Running', 'shop', 'shop', 'public', 'customers', 'bronze', 'shop', 'customers', 'turbo', 'whenever',
     NULL, NULL, NULL, NULL, NULL, '2024-01-15 08:00', NULL),
    (true, 'In Progress', 'erp', 'ERP', 'SAPSR3', 'Größe', 'bronze', 'erp', 'groesse', 'full', NULL,
     NULL, '2024-01-15 08:00', NULL, '2024-01-15 08:00', NULL, NULL, NULL),
    (false, NULL, NULL, NULL, NULL, 'orders', 'bronze', 'shop', 'orders', NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, '2024-01-15 08:00', NULL),
    (false, 'Failed', 'erp', 'a', 'b', 'c', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (false, 'Failed', 'erp', 'a', 'b', 'c', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO control.historical_metadata
    (control_key, run_id, load_queued_time, load_start_time, load_end_time, total_duration, source_catalog,
     source_schema, source_table, rows_processed, load_status, log_message, created_at)
SELECT control_key, 'run-' || config_id, '2024-07-01 01:59', '2024-07-01 02:00', '2024-07-01 02:10', 660,
    source_table_catalog, source_table_schema, source_table_name, 1000, 'Succeeded', 'done', '2024-07-01 01:59'
FROM control.table_control WHERE control_key IS NOT NULL ORDER BY config_id;
INSERT INTO control.historical_metadata (control_key, load_status) VALUES ('\x00', 'Weird');

INSERT INTO control.table_control_history
    (control_key, config_id, changed_at, changed_by, change_type, change_source, old_values, new_values, changed_fields)
SELECT control_key, config_id, '2024-02-01 09:00', 'anna', 'UPDATE', 'bulk_edit', '{"load_cron": "0 1 * * *"}',
    '{"load_cron": "0 2 * * *"}', '{load_cron}'
FROM control.table_control WHERE config_id = 1;
