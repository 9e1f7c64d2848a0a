-- The claim's look: locks at most `wanted` rows that are due (`asked` NULL) or asked for by id, highest priority
-- first, then the earliest slot, and returns each with the snapshot that its load would freeze, as text. `handled` rows
-- are left out. A row that somebody else holds at the moment comes back with its id only. The caller holds the
-- claims' lock, so that nobody counts the same room.
--
-- Every look goes through a partial index and stops as soon as it has enough. The condition on is_active and
-- last_status stands word for word as in 40_indexes.sql: the planner only knows a partial index by it. The priorities
-- that occur are found one after another, each by one look at the index.
--
-- A short way stands before the long one. What comes first in the claim's order, twice as many rows as there is room
-- for, almost always holds as many as may be taken: then these are they, since a row's place within its source is the
-- same among the first rows as among all. Only where most of the first rows belong to sources that are paused or at
-- their limit, and more are waiting, are all sources asked. What a source may still run is known then before its
-- waiting rows are looked at, so that a closed one costs nothing, however long its backlog is; and from one with room,
-- one row is read for each priority that waiting rows have, and more, as many as it has room for, only where that row
-- is among the earliest of its priority.
--
-- Both ways end in ids, which are locked and read in a statement of their own, so that a claim does not set up the long
-- way's plan where it does not go it. That statement holds rows and sources to one moment: it locks the row as it has
-- become, and reads it beside its source as that was before, so that what was edited in between is left to the next
-- look.
--
-- A function, because planning this takes as long as running it, and only a function's plan outlives its
-- transaction where a pooler stands between. The plan is made once, for the indexes, whatever the statistics say
-- after a bulk import, and for any number of ids. Without incremental sorts, or the planner would walk all that is due
-- by table_control_ready, where no vacuum has been yet, and pick one priority's rows out of it.
CREATE FUNCTION control.take_rows(wanted integer, max_concurrent integer, handled bigint[], asked bigint[])
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
            -- Looked up where there may be something to repeat, which few claims have. The scan of a load that never
            -- started is the next one's. One that failed may be one that can never pass: a retry repeats it, and
            -- whoever asks for the row.
            CASE WHEN t.delete_policy IN ('scan', 'soft') AND t.last_status IS DISTINCT FROM 'Succeeded' THEN coalesce((
                SELECT h.config_snapshot -> 'delete_scan' = 'true' AND h.load_status <> 'Succeeded'
                    AND (h.start_nonce IS NULL OR asked IS NOT NULL OR (t.last_status IS NULL AND t.retry_count > 0))
                FROM control.historical_metadata h
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
