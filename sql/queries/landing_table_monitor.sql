-- Loaded tables whose schema files have not been made since their columns changed.
SELECT *
FROM control.table_control
WHERE last_status = 'Succeeded'
  AND staging_model_processed = false
ORDER BY config_id;
