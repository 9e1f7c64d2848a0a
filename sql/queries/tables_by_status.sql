-- How many active tables are in each status.
SELECT
    last_status,
    COUNT(*) AS count
FROM control.table_control
WHERE is_active = true
GROUP BY last_status;
