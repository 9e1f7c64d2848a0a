-- Back to version 0003. Its look comes from its own file after this.

-- The lock that a further step down takes, at once: asked for later, it and a claim might wait for each other.
LOCK TABLE control.table_control, control.historical_metadata IN ACCESS EXCLUSIVE MODE;

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_class
        WHERE oid = 'control.table_control'::regclass
            AND reloptions @> '{autovacuum_vacuum_scale_factor=0.01,autovacuum_vacuum_threshold=1000}')
    THEN
        ALTER TABLE control.table_control RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
    END IF;
END
$$;

-- Made anew by that file.
DROP INDEX control.table_control_ready_in_order;

CREATE OR REPLACE FUNCTION control.snapshot(t control.table_control, s control.table_control_dbconfig)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT control.configuration(t) || jsonb_build_object(
        'config_id', t.config_id,
        'watermark_of', t.watermark_of,
        'db_type', s.db_type,
        'db_config_value', s.db_config_value,
        'db_kv_scope', s.db_kv_scope,
        'connection_options', s.connection_options,
        'target_catalog', control.given(t.destination_table_catalog),
        'target_schema', coalesce(
            control.given(t.destination_table_schema), control.given(s.default_target_schema)),
        'target_table', control.given(t.destination_table_name))
$$;
