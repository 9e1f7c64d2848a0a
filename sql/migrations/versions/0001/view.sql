-- The documents' view, literally; one that is there stays as it is.
DO $do$
BEGIN
    IF to_regclass('control.table_control_history_vw') IS NULL THEN
        CREATE VIEW control.table_control_history_vw AS
        SELECT
            h.history_id,
            h.config_id,
            encode(h.control_key, 'hex') AS control_key_hex,
            t.db_config_key,
            t.source_table_name,
            h.changed_at,
            h.changed_by,
            h.change_type,
            h.change_source,
            h.old_values,
            h.new_values,
            h.changed_fields
        FROM control.table_control_history h
        LEFT JOIN control.table_control t ON h.config_id = t.config_id;
    END IF;
END
$do$;
