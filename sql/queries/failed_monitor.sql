-- Failed tables with retries left whose failure nobody has judged yet: what retry analysis takes.
SELECT t.*, h.id AS metadata_id, h.failure
FROM control.table_control t
JOIN control.historical_metadata h ON h.config_id = t.config_id AND NOT EXISTS (
    SELECT FROM control.historical_metadata n WHERE n.config_id = t.config_id AND n.id > h.id)
WHERE t.last_status = 'Failed'
  AND t.retry_count < 3
  AND h.verdict IS NULL
ORDER BY t.last_status_date_time;
