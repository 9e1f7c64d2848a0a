-- What a load of a row freezes, historical_metadata.config_snapshot: what people decide about the row, with its source's
-- side, and its target's names resolved. A column that is added to table_control for loads to read is added here, too.
-- The documents' own numbers are bigint, as they may be in a database that was taken over: whatever they hold is wrong
-- with their row, not with the claim.
CREATE TYPE control.load_configuration AS (
    is_active boolean, db_config_key text,
    source_table_catalog text, source_table_schema text, source_table_name text, query text,
    destination_table_catalog text, destination_table_schema text, destination_table_name text,
    load_strategy text, load_full text, load_cron text,
    incremental_column text, incremental_type text, incremental_value text, rolling_column text, rolling_days bigint,
    num_partitions bigint, partition_column text, lower_bound text, upper_bound text, primary_key_cols text,
    priority integer, load_timezone text, max_runtime_minutes integer, freshness_minutes integer,
    owner text, tags text[], lookback text, chunk_size text,
    null_cursor_policy text, schema_policy text, value_policy text, empty_source_policy text,
    shrink_guard_percent integer, rolling_retention text, delete_policy text, delete_cron text,
    load_columns_policy text, cluster_by_key boolean, optimize_every_hours integer, vacuum_every_hours integer,
    config_id bigint, watermark_of text,
    db_type text, db_config_value jsonb, db_kv_scope text, connection_options jsonb,
    target_catalog text, target_schema text, target_table text);

-- It as text. Writing it from a row of the right shape takes a fifth of the time that making jsonb of the whole row took,
-- which was a tenth of a claim.
CREATE FUNCTION control.frozen(t control.table_control, s control.table_control_dbconfig)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT CAST(to_json(CAST(ROW(
        t.is_active, t.db_config_key,
        t.source_table_catalog, t.source_table_schema, t.source_table_name, t.query,
        t.destination_table_catalog, t.destination_table_schema, t.destination_table_name,
        t.load_strategy, t.load_full, t.load_cron,
        t.incremental_column, t.incremental_type, t.incremental_value, t.rolling_column, t.rolling_days,
        t.num_partitions, t.partition_column, t.lower_bound, t.upper_bound, t.primary_key_cols,
        t.priority, t.load_timezone, t.max_runtime_minutes, t.freshness_minutes,
        t.owner, t.tags, t.lookback, t.chunk_size,
        t.null_cursor_policy, t.schema_policy, t.value_policy, t.empty_source_policy,
        t.shrink_guard_percent, t.rolling_retention, t.delete_policy, t.delete_cron,
        t.load_columns_policy, t.cluster_by_key, t.optimize_every_hours, t.vacuum_every_hours,
        t.config_id, t.watermark_of,
        s.db_type, s.db_config_value, s.db_kv_scope, s.connection_options,
        control.given(t.destination_table_catalog),
        coalesce(control.given(t.destination_table_schema), control.given(s.default_target_schema)),
        control.given(t.destination_table_name)
    ) AS control.load_configuration)) AS text)
$$;

CREATE FUNCTION control.snapshot(t control.table_control, s control.table_control_dbconfig)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$ SELECT CAST(control.frozen(t, s) AS jsonb) $$;
