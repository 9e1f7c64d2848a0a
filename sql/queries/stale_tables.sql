-- Active tables without a success within their freshness_minutes, the stalest first.
SELECT
    t.config_id,
    t.db_config_key,
    coalesce(t.source_table_name, t.destination_table_name) AS table_name,
    t.owner,
    t.freshness_minutes,
    s.fresh_at,
    t.last_status,
    t.last_status_message
FROM control.table_control t
LEFT JOIN LATERAL (
    SELECT h.load_start_time AS fresh_at
    FROM control.historical_metadata h
    WHERE h.config_id = t.config_id
      AND h.load_status = 'Succeeded'
    ORDER BY h.id DESC
    LIMIT 1
) s ON true
WHERE t.is_active
  AND t.freshness_minutes IS NOT NULL
  AND coalesce(s.fresh_at, t.created_at) < clock_timestamp() - make_interval(mins => t.freshness_minutes)
ORDER BY coalesce(s.fresh_at, t.created_at) + make_interval(mins => t.freshness_minutes);
