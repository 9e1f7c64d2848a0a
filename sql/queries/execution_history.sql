-- The last ten loads of each source table called :source_table_name, newest first.
SELECT
    t.config_id,
    t.db_config_key,
    h.source_table,
    h.load_status,
    h.rows_processed,
    h.total_duration,
    h.load_start_time
FROM control.table_control t
CROSS JOIN LATERAL (
    SELECT *
    FROM control.historical_metadata l
    WHERE l.config_id = t.config_id
    ORDER BY l.id DESC
    LIMIT 10
) h
WHERE t.source_table_name = :source_table_name
ORDER BY t.config_id, h.id DESC;
