-- The look of 0004/20_claim.sql, whose end holds rows and sources to one moment: it locks the row as it has become, and
-- reads it beside its source as that was before. So what was edited in between is left to the next look.
CREATE OR REPLACE FUNCTION control.take_rows(wanted integer, max_concurrent integer, handled bigint[], asked bigint[])
RETURNS TABLE (
    config_id bigint, at timestamptz, load_timezone text, next_delete_scan timestamptz, is_retry boolean,
    repeats_scan boolean, snapshot text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
    SET enable_incremental_sort = off
AS $$
#variable_conflict use_column
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
    -- Room in all.
    total bigint;
    chosen bigint[];
    seen bigint;
BEGIN
    SELECT greatest(0, least(wanted, max_concurrent - count(*))) INTO total
    FROM control.table_control WHERE last_status IN ('Queued', 'In Progress');
    IF total = 0 THEN
        RETURN;
    END IF;
    IF asked IS NULL THEN
        WITH RECURSIVE
        -- The priorities that occur, one after another, until their due rows are enough, which are kept: the index is
        -- read once. The first priority is above every integer.
        level AS (
            SELECT CAST(2147483648 AS bigint) AS priority, CAST(0 AS bigint) AS found,
                CAST(NULL AS bigint[]) AS ids, CAST(NULL AS varchar[]) AS keys
            UNION ALL
            SELECT CAST(p.priority AS bigint), l.found + enough.found, enough.ids, enough.keys
            FROM level l CROSS JOIN LATERAL (
                SELECT t.priority FROM control.table_control t
                WHERE t.priority < l.priority
                    AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                ORDER BY t.priority DESC LIMIT 1) p
            CROSS JOIN LATERAL (
                SELECT count(*) AS found, array_agg(w.config_id) AS ids, array_agg(w.db_config_key) AS keys FROM (
                    SELECT t.config_id, t.db_config_key FROM control.table_control t
                    WHERE t.priority = p.priority AND t.is_active
                        AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                        AND t.next_load_date_time <= moment AND t.config_id <> ALL (handled)
                    ORDER BY t.next_load_date_time, t.config_id LIMIT 2 * total) w) enough
            WHERE l.found < 2 * total
        ),
        early AS MATERIALIZED (
            SELECT w.config_id, w.db_config_key, l.found - cardinality(l.ids) + w.number AS place
            FROM level l CROSS JOIN LATERAL
                unnest(l.ids, l.keys) WITH ORDINALITY AS w(config_id, db_config_key, number)
            WHERE l.found - cardinality(l.ids) + w.number <= 2 * total
        ),
        live AS MATERIALIZED (
            SELECT db_config_key, count(*) AS loads FROM control.table_control
            WHERE last_status IN ('Queued', 'In Progress') GROUP BY db_config_key
        ),
        -- Rows without a source are taken too: the claim tells their people what is missing.
        source AS MATERIALIZED (
            SELECT s.db_config_key, s.max_concurrent_loads - coalesce(live.loads, 0) AS room
            FROM control.table_control_dbconfig s LEFT JOIN live ON live.db_config_key = s.db_config_key
            WHERE s.db_config_key = ANY (ARRAY(SELECT early.db_config_key FROM early))
                AND (s.paused_until IS NULL OR s.paused_until <= moment)
        ),
        ranked AS (
            SELECT early.*, CASE WHEN early.db_config_key IS NULL THEN total ELSE source.room END AS room,
                row_number() OVER (PARTITION BY early.db_config_key ORDER BY early.place) AS place_within
            FROM early LEFT JOIN source ON source.db_config_key = early.db_config_key
        )
        SELECT coalesce(
                (array_agg(config_id ORDER BY place) FILTER (WHERE place_within <= room))[:total], '{}'),
            count(*)
        INTO chosen, seen FROM ranked;
    END IF;
    IF asked IS NOT NULL OR (cardinality(chosen) < total AND seen = 2 * total) THEN
        WITH RECURSIVE
        -- Room in each source that is not paused.
        live AS MATERIALIZED (
            SELECT db_config_key, count(*) AS loads FROM control.table_control
            WHERE last_status IN ('Queued', 'In Progress') GROUP BY db_config_key
        ),
        source AS MATERIALIZED (
            SELECT s.db_config_key, least(s.max_concurrent_loads - coalesce(live.loads, 0), total) AS room
            FROM control.table_control_dbconfig s LEFT JOIN live ON live.db_config_key = s.db_config_key
            WHERE (s.paused_until IS NULL OR s.paused_until <= moment)
                AND s.max_concurrent_loads > coalesce(live.loads, 0)
        ),
        level AS (
            SELECT CAST(2147483648 AS bigint) AS priority, CAST(0 AS bigint) AS found WHERE asked IS NULL
            UNION ALL
            SELECT CAST(p.priority AS bigint), (
                SELECT count(*) FROM (
                    SELECT FROM source s CROSS JOIN LATERAL (
                        SELECT FROM control.table_control t
                        WHERE t.db_config_key = s.db_config_key AND t.priority = p.priority AND t.is_active
                            AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                            AND t.next_load_date_time <= moment AND t.config_id <> ALL (handled)
                        ORDER BY t.next_load_date_time, t.config_id LIMIT s.room) waiting
                    LIMIT wanted) enough)
            FROM level l CROSS JOIN LATERAL (
                SELECT t.priority FROM control.table_control t
                WHERE t.priority < l.priority
                    AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                ORDER BY t.priority DESC LIMIT 1) p
            WHERE l.found < total
        ),
        occurring AS (SELECT priority FROM level WHERE priority < 2147483648),
        -- Those with a due row of an open source: where a closed one's backlog is all there is, no head is looked for.
        filled AS (SELECT priority FROM level WHERE found > 0),
        -- The earliest row of each source in each of them, and the slot of the one that fills all room: whatever is
        -- taken is not later. A source that has no room left there has had a row taken before, from above.
        head AS MATERIALIZED (
            SELECT l.priority, s.db_config_key, s.room, h.next_load_date_time,
                row_number() OVER (PARTITION BY l.priority ORDER BY h.next_load_date_time) AS place
            FROM filled l CROSS JOIN source s CROSS JOIN LATERAL (
                SELECT t.next_load_date_time FROM control.table_control t
                WHERE t.db_config_key = s.db_config_key AND t.priority = l.priority
                    AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                    AND t.next_load_date_time <= moment AND t.config_id <> ALL (handled)
                ORDER BY t.next_load_date_time LIMIT 1) h
        ),
        latest AS MATERIALIZED (
            SELECT l.priority, coalesce(h.next_load_date_time, moment) AS slot
            FROM filled l
            LEFT JOIN head h ON h.priority = l.priority AND h.place = total
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
            SELECT NULL, total, c.*
            FROM occurring l CROSS JOIN LATERAL (
                SELECT t.config_id, t.priority, t.next_load_date_time FROM control.table_control t
                WHERE t.db_config_key IS NULL AND t.priority = l.priority
                    AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                    AND t.next_load_date_time <= moment AND t.config_id <> ALL (handled)
                ORDER BY t.next_load_date_time, t.config_id LIMIT total) c
            UNION ALL
            -- What was asked for by id, whatever its slot.
            SELECT t.db_config_key, coalesce(s.room, total) AS room,
                t.config_id, t.priority, t.next_load_date_time
            FROM control.table_control t LEFT JOIN source s ON s.db_config_key = t.db_config_key
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
        first AS (
            SELECT config_id, priority, next_load_date_time FROM ranked
            WHERE place <= room
            ORDER BY priority DESC, next_load_date_time, config_id LIMIT total
        )
        SELECT coalesce(array_agg(config_id ORDER BY priority DESC, next_load_date_time, config_id), '{}')
        INTO chosen FROM first;
    END IF;
    RETURN QUERY
    WITH taken AS MATERIALIZED (
        SELECT config_id, control.destination(target_catalog, target_schema, NULL, target_table) AS destination
        FROM control.historical_metadata WHERE load_status IN ('Queued', 'In Progress') AND epoch IS NOT NULL
    )
    SELECT c.config_id, moment, row.load_timezone::text, row.next_delete_scan, row.is_retry, row.repeats_scan,
        row.snapshot
    -- Locks the chosen rows and reads them with their source. A row that somebody else holds comes back empty, as does
    -- one that is not what it was.
    FROM unnest(chosen) WITH ORDINALITY AS c(config_id, place) LEFT JOIN LATERAL (
        SELECT t.load_timezone, t.next_delete_scan,
            t.last_status IS NULL AND t.retry_count > 0 AS is_retry,
            -- Looked up for retries alone: most claims are none.
            CASE WHEN t.last_status IS NULL AND t.retry_count > 0 THEN coalesce((
                SELECT h.config_snapshot -> 'delete_scan' = 'true' FROM control.historical_metadata h
                WHERE h.config_id = t.config_id ORDER BY h.id DESC LIMIT 1), false) ELSE false END AS repeats_scan,
            control.frozen(t, s) AS snapshot
        FROM control.table_control t
        -- As it was before; its version is another where somebody has written the row since.
        JOIN control.table_control before ON before.config_id = t.config_id AND before.xmin = t.xmin
        LEFT JOIN control.table_control_dbconfig s ON s.db_config_key = t.db_config_key
        WHERE t.config_id = c.config_id
            AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
            AND (asked IS NOT NULL OR t.next_load_date_time <= moment)
            -- Two rows may have one destination after an edit; two loads at once may not.
            AND NOT EXISTS (SELECT FROM taken WHERE taken.config_id <> t.config_id
                AND taken.destination = t.resolved_destination)
        FOR UPDATE OF t SKIP LOCKED) row ON true
    ORDER BY c.place;
END
$$;
