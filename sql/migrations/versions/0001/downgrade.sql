DROP VIEW control.table_control_history_vw;
DROP TABLE control.table_control_history, control.historical_metadata, control.table_control,
    control.table_control_dbconfig;
DROP FUNCTION control.source_key(text, text, text);
