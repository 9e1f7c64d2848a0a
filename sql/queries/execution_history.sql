-- The last ten loads of a source table, :source_table_name.
SELECT
    source_table,
    load_status,
    rows_processed,
    total_duration,
    load_start_time
FROM control.historical_metadata
WHERE control_key = (
    SELECT control_key
    FROM control.table_control
    WHERE source_table_name = :source_table_name
    LIMIT 1
)
ORDER BY load_start_time DESC
LIMIT 10;
