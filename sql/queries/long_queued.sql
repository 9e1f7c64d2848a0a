-- Tables that have waited for more than an hour since their claim.
SELECT *
FROM control.table_control
WHERE last_status = 'Queued'
  AND last_status_date_time < CURRENT_TIMESTAMP - INTERVAL '60 minutes';
