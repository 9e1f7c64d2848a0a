-- Tables whose load began more than three hours ago and has not ended.
SELECT *
FROM control.table_control
WHERE last_status = 'In Progress'
  AND last_load_date_time < CURRENT_TIMESTAMP - INTERVAL '180 minutes';
