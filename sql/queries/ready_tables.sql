-- Tables that are due and that nobody loads: what a claim may take.
SELECT *
FROM control.table_control
WHERE is_active = true
  AND next_load_date_time <= CURRENT_TIMESTAMP
  AND (last_status IS NULL OR last_status NOT IN ('Queued', 'In Progress'))
ORDER BY next_load_date_time
LIMIT 10;
