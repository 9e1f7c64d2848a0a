-- What several questions ask of a load on record, each in one place. The planner writes these functions out where
-- they are asked, and so sees that the indexes of a target's loads answer them.

-- The target that it wrote to, as the indexes have it.
CREATE FUNCTION control.target_key(h control.historical_metadata)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT control.destination_key(control.destination(h.target_catalog, h.target_schema, NULL, h.target_table))
$$;

-- Whether it fenced its target, or published to it, which fences it too: no write of an earlier load can land any
-- more.
CREATE FUNCTION control.has_fenced(h control.historical_metadata)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT h.target_version IS NOT NULL OR h.receipt ->> 'fence_version' IS NOT NULL $$;

-- Whether nobody knows for certain what it wrote: it started, did not succeed, and either somebody else gave it up,
-- or its own loader could not tell; docs/adr/0004.
CREATE FUNCTION control.is_uncertain(h control.historical_metadata)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT h.start_nonce IS NOT NULL AND h.load_status <> 'Succeeded'
        AND (h.failure ->> 'settled_by' IS DISTINCT FROM 'loader'
            OR coalesce(h.failure -> 'outcome_unknown' = 'true', false))
$$;

-- Whole seconds since a time, as total_duration has room for them, whatever that time is; NULL where it is unknown.
-- By numbers: before version 17, PostgreSQL refuses to subtract an infinite time.
CREATE FUNCTION control.seconds_since(moment timestamptz)
RETURNS integer
LANGUAGE sql VOLATILE
AS $$
    SELECT CASE WHEN moment IS NOT NULL THEN CAST(round(least(2147483647, greatest(0,
        extract(epoch FROM clock_timestamp()) - extract(epoch FROM moment)))) AS integer) END
$$;
