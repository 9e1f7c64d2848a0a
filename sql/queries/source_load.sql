-- What each source bears: loads that live, its limit, tables that are due, and whether it is paused.
SELECT
    s.db_config_key,
    s.db_type,
    s.max_concurrent_loads,
    (
        SELECT count(*)
        FROM control.table_control t
        WHERE t.db_config_key = s.db_config_key
          AND t.last_status IN ('Queued', 'In Progress')
    ) AS live,
    (
        SELECT count(*)
        FROM control.table_control t
        WHERE t.db_config_key = s.db_config_key
          AND t.is_active
          AND t.next_load_date_time <= CURRENT_TIMESTAMP
          AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
    ) AS due,
    coalesce(s.paused_until > clock_timestamp(), false) AS is_paused,
    s.pause_reason
FROM control.table_control_dbconfig s
ORDER BY s.db_config_key;
