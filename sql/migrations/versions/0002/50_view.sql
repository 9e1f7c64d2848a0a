-- The documents' view: table_name, which their own query asks for, and names that survive a DELETE.
CREATE VIEW control.table_control_history_vw AS
SELECT
    h.history_id,
    h.config_id,
    encode(h.control_key, 'hex') AS control_key_hex,
    coalesce(t.db_config_key, v.config ->> 'db_config_key') AS db_config_key,
    coalesce(t.source_table_name, v.config ->> 'source_table_name') AS source_table_name,
    coalesce(
        t.source_table_name, v.config ->> 'source_table_name',
        t.destination_table_name, v.config ->> 'destination_table_name') AS table_name,
    h.changed_at,
    h.changed_by,
    h.change_type,
    h.change_source,
    h.old_values,
    h.new_values,
    h.changed_fields
FROM control.table_control_history h
LEFT JOIN control.table_control t ON h.config_id = t.config_id
CROSS JOIN LATERAL (SELECT coalesce(h.new_values, h.old_values) AS config) v;
