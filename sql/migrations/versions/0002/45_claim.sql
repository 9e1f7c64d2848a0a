-- What a load of a row freezes, historical_metadata.config_snapshot: its configuration, with its source's, and its
-- target's name resolved.
CREATE FUNCTION control.snapshot(t control.table_control, s control.table_control_dbconfig)
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

-- The claim's look: locks at most `wanted` rows that are due (`asked` NULL) or asked for by id, highest priority
-- first, then the earliest slot, and returns each with the snapshot that its load would freeze, as text. `handled` rows
-- are left out. A row that somebody else holds at the moment comes back with its id only. The caller holds the
-- claims' lock, so that nobody counts the same room.
--
-- Every look goes through a partial index and stops as soon as it has enough. What a source may still run is
-- known before its waiting rows are looked at, so a source that is paused or at its limit costs nothing,
-- however long its backlog is; and from one with room, one row is read for each priority that waiting rows have,
-- and more, as many as it has room for, only where that row is among the earliest of its priority. The
-- priorities that occur are found one after another, each by one look at the index. The condition
-- on is_active and last_status stands word for word as in 40_indexes.sql: the planner only knows a partial
-- index by it.
--
-- A function, because planning this takes as long as running it, and only a function's plan outlives its
-- transaction where a pooler stands between. The plan is made once, for the indexes, whatever the statistics say
-- after a bulk import, and for any number of ids.
CREATE FUNCTION control.take_rows(wanted integer, max_concurrent integer, handled bigint[], asked bigint[])
RETURNS TABLE (
    config_id bigint, at timestamptz, load_timezone text, next_delete_scan timestamptz, is_retry boolean,
    repeats_scan boolean, snapshot text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE
    -- Room in all, and in each source that is not paused.
    moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
    live AS MATERIALIZED (
        SELECT db_config_key, count(*) AS loads FROM control.table_control
        WHERE last_status IN ('Queued', 'In Progress') GROUP BY db_config_key
    ),
    taken AS MATERIALIZED (
        SELECT config_id, control.destination(target_catalog, target_schema, NULL, target_table) AS destination
        FROM control.historical_metadata WHERE load_status IN ('Queued', 'In Progress') AND epoch IS NOT NULL
    ),
    total AS MATERIALIZED (
        SELECT greatest(0, least(wanted, max_concurrent - coalesce(sum(loads), 0)))::integer AS room FROM live
    ),
    source AS MATERIALIZED (
        SELECT s.db_config_key, least(s.max_concurrent_loads - coalesce(live.loads, 0), total.room) AS room
        FROM control.table_control_dbconfig s CROSS JOIN total CROSS JOIN moment
        LEFT JOIN live ON live.db_config_key = s.db_config_key
        WHERE (s.paused_until IS NULL OR s.paused_until <= moment.at)
            AND s.max_concurrent_loads > coalesce(live.loads, 0) AND total.room > 0
    ),
    -- What is due, priority by priority and source by source, as table_control_ready_by_source goes. A level with
    -- enough rows by itself is the last: none below it can come before them. The first is above every integer.
    level AS (
        SELECT CAST(2147483648 AS bigint) AS priority, CAST(0 AS bigint) AS found WHERE asked IS NULL
        UNION ALL
        SELECT CAST(p.priority AS bigint), (
            SELECT count(*) FROM (
                SELECT FROM source s CROSS JOIN LATERAL (
                    SELECT FROM control.table_control t
                    WHERE t.db_config_key = s.db_config_key AND t.priority = p.priority AND t.is_active
                        AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                        AND t.next_load_date_time <= (SELECT at FROM moment) AND t.config_id <> ALL (handled)
                    ORDER BY t.next_load_date_time, t.config_id LIMIT s.room) waiting
                LIMIT wanted) enough)
        FROM level l CROSS JOIN LATERAL (
            SELECT t.priority FROM control.table_control t
            WHERE t.priority < l.priority
                AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
            ORDER BY t.priority DESC LIMIT 1) p
        WHERE l.found < (SELECT room FROM total)
    ),
    occurring AS (SELECT priority FROM level WHERE priority < 2147483648),
    -- The earliest row of each source in each of them, and the slot of the one that fills all room: whatever is
    -- taken is not later. A source that has no room left there has had a row taken before, from above.
    head AS MATERIALIZED (
        SELECT l.priority, s.db_config_key, s.room, h.next_load_date_time,
            row_number() OVER (PARTITION BY l.priority ORDER BY h.next_load_date_time) AS place
        FROM occurring l CROSS JOIN source s CROSS JOIN LATERAL (
            SELECT t.next_load_date_time FROM control.table_control t
            WHERE t.db_config_key = s.db_config_key AND t.priority = l.priority
                AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                AND t.next_load_date_time <= (SELECT at FROM moment) AND t.config_id <> ALL (handled)
            ORDER BY t.next_load_date_time LIMIT 1) h
    ),
    latest AS MATERIALIZED (
        SELECT l.priority, coalesce(h.next_load_date_time, moment.at) AS slot
        FROM occurring l CROSS JOIN moment
        LEFT JOIN head h ON h.priority = l.priority AND h.place = (SELECT room FROM total)
    ),
    candidate AS (
        SELECT h.db_config_key, h.room, c.*
        FROM latest l JOIN head h ON h.priority = l.priority AND h.next_load_date_time <= l.slot
        CROSS JOIN LATERAL (
            SELECT t.config_id, t.priority, t.next_load_date_time FROM control.table_control t
            WHERE t.db_config_key = h.db_config_key AND t.priority = h.priority
                AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                AND t.next_load_date_time <= l.slot AND t.config_id <> ALL (handled)
            ORDER BY t.next_load_date_time, t.config_id LIMIT h.room) c
        UNION ALL
        -- Rows without a source are taken too: the claim tells their people what is missing.
        SELECT NULL, total.room, c.*
        FROM occurring l CROSS JOIN total CROSS JOIN LATERAL (
            SELECT t.config_id, t.priority, t.next_load_date_time FROM control.table_control t
            WHERE t.db_config_key IS NULL AND t.priority = l.priority
                AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                AND t.next_load_date_time <= (SELECT at FROM moment) AND t.config_id <> ALL (handled)
            ORDER BY t.next_load_date_time, t.config_id LIMIT total.room) c
        UNION ALL
        -- What was asked for by id, whatever its slot.
        SELECT t.db_config_key, coalesce(s.room, total.room) AS room,
            t.config_id, t.priority, t.next_load_date_time
        FROM control.table_control t CROSS JOIN total LEFT JOIN source s ON s.db_config_key = t.db_config_key
        WHERE t.config_id = ANY (asked)
            AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
            AND t.config_id <> ALL (handled)
            AND (s.db_config_key IS NOT NULL OR t.db_config_key IS NULL)
    ),
    ranked AS (
        SELECT *, row_number() OVER (
            PARTITION BY db_config_key ORDER BY priority DESC, next_load_date_time, config_id) AS place
        FROM candidate
    ),
    chosen AS MATERIALIZED (
        SELECT config_id, priority, next_load_date_time FROM ranked
        WHERE place <= room
        ORDER BY priority DESC, next_load_date_time, config_id LIMIT (SELECT room FROM total)
    )
    SELECT chosen.config_id, moment.at, row.load_timezone::text, row.next_delete_scan, row.is_retry,
        row.repeats_scan, row.snapshot::text
    -- Locks the chosen rows and reads them with their source. A row that somebody else holds comes back empty;
    -- one that changed while we waited for its lock is looked at again by the conditions inside.
    FROM chosen CROSS JOIN moment LEFT JOIN LATERAL (
        SELECT t.load_timezone, t.next_delete_scan,
            t.last_status IS NULL AND t.retry_count > 0 AS is_retry,
            -- Looked up for retries alone: most claims are none.
            CASE WHEN t.last_status IS NULL AND t.retry_count > 0 THEN coalesce((
                SELECT h.config_snapshot -> 'delete_scan' = 'true' FROM control.historical_metadata h
                WHERE h.config_id = t.config_id ORDER BY h.id DESC LIMIT 1), false) ELSE false END AS repeats_scan,
            control.snapshot(t, s) AS snapshot
        FROM control.table_control t
        LEFT JOIN control.table_control_dbconfig s ON s.db_config_key = t.db_config_key
        WHERE t.config_id = chosen.config_id
            AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
            AND (asked IS NOT NULL OR t.next_load_date_time <= moment.at)
            -- Two rows may have one destination after an edit; two loads at once may not.
            AND NOT EXISTS (SELECT FROM taken WHERE taken.config_id <> t.config_id
                AND taken.destination = t.resolved_destination)
        FOR UPDATE OF t SKIP LOCKED) row ON true
    ORDER BY chosen.priority DESC, chosen.next_load_date_time, chosen.config_id;
END
$$;

-- What a claim begins with, in one round trip: the loads that its run has claimed before, of one row where
-- `only_row` is given; or else one row that says `unarmed`, where rows with a cron wait for their slot; or else
-- the look above.
CREATE FUNCTION control.begin_claim(
    airflow_run text, airflow_base_url text, only_row bigint, wanted integer, max_concurrent integer, asked bigint[])
RETURNS TABLE (
    metadata_id bigint, epoch bigint, load_status text, log_message text, unarmed boolean,
    config_id bigint, at timestamptz, load_timezone text, next_delete_scan timestamptz, is_retry boolean,
    repeats_scan boolean, snapshot text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    no_time CONSTANT timestamptz := NULL;
BEGIN
    RETURN QUERY
    SELECT h.id, h.epoch, h.load_status::text, h.log_message::text, false, h.config_id, no_time, NULL, no_time,
        NULL::boolean, NULL::boolean, h.config_snapshot::text
    FROM control.historical_metadata h
    WHERE h.airflow_run = begin_claim.airflow_run
        AND h.airflow_base_url IS NOT DISTINCT FROM begin_claim.airflow_base_url
        AND (only_row IS NULL OR h.config_id = only_row)
    ORDER BY h.id;
    IF FOUND THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM control.table_control t WHERE control.is_unarmed(t)) THEN
        unarmed := true;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT NULL::bigint, NULL::bigint, NULL, NULL, false, t.config_id, t.at, t.load_timezone, t.next_delete_scan,
        t.is_retry, t.repeats_scan, t.snapshot
    FROM control.take_rows(wanted, max_concurrent, '{}', asked) t;
END
$$;

-- Moves locked rows to Queued, each with a load of its own in the history; `items` says, row by row, its place
-- in the order of ids, its next slots, why it is loaded, and what its load freezes. The epoch follows every one
-- on record: a history that was copied in after a restore may be ahead of the row. A function for the same reason
-- as above.
CREATE FUNCTION control.queue_rows(
    items jsonb, airflow_run text, airflow_task text, airflow_base_url text, first_lease interval)
RETURNS TABLE (id bigint, config_id bigint, epoch bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH item AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(items) AS i(
            place integer, config_id bigint, slot timestamptz, scan_slot timestamptz, trigger text,
            snapshot jsonb)
    ),
    moved AS (
        UPDATE control.table_control t SET
            last_status = 'Queued',
            last_status_date_time = clock_timestamp(),
            last_status_message = NULL,
            load_epoch = 1 + greatest(t.load_epoch, (
                SELECT max(h.epoch) FROM control.historical_metadata h WHERE h.config_id = t.config_id)),
            next_load_date_time = i.slot,
            next_delete_scan = i.scan_slot,
            last_airflow_run = queue_rows.airflow_run,
            last_databricks_run = NULL
        FROM item i WHERE t.config_id = i.config_id
        RETURNING t.config_id, t.control_key, t.load_epoch, t.retry_count, t.last_status_date_time AS at,
            i.place, i.trigger, i.snapshot
    )
    INSERT INTO control.historical_metadata AS h (
        control_key, run_id, load_queued_time, source_catalog, source_schema, source_table,
        target_catalog, target_schema, target_table, load_status, config_id, epoch, attempt, trigger, mode,
        airflow_run, airflow_task, airflow_base_url, lease_until, watermark_low, config_snapshot)
    SELECT
        m.control_key, queue_rows.airflow_run, m.at,
        m.snapshot ->> 'source_table_catalog', m.snapshot ->> 'source_table_schema',
        m.snapshot ->> 'source_table_name',
        m.snapshot ->> 'target_catalog', m.snapshot ->> 'target_schema', m.snapshot ->> 'target_table',
        'Queued', m.config_id, m.load_epoch, least(m.retry_count, 2147483646) + 1, m.trigger,
        left(m.snapshot ->> 'load_strategy', 30)
            || CASE WHEN m.snapshot -> 'delete_scan' = 'true' THEN ' + delete_scan' ELSE '' END,
        queue_rows.airflow_run, queue_rows.airflow_task, queue_rows.airflow_base_url,
        m.at + first_lease, m.snapshot ->> 'incremental_value', m.snapshot
    FROM moved m ORDER BY m.place
    RETURNING h.id, h.config_id, h.epoch;
END
$$;
