-- Status moves: core/status.py states them, and a test compares the two.

CREATE FUNCTION control.may_move(old_status text, new_status text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(
        CASE
            WHEN old_status IS NOT DISTINCT FROM new_status THEN true
            WHEN old_status IS NULL THEN new_status = 'Queued'
            WHEN old_status = 'Queued' THEN new_status IN ('In Progress', 'Failed')
            WHEN old_status = 'In Progress' THEN new_status IN ('Succeeded', 'Failed')
            WHEN old_status = 'Succeeded' THEN new_status IS NULL OR new_status = 'Queued'
            -- Failed; and whatever an adopted row may have held before, so that it can get out of it.
            ELSE new_status IS NULL OR new_status IN ('Queued', 'Failed')
        END,
        false)
$$;

-- Whether the transaction said SET LOCAL dataloader.repair = 'on'.
CREATE FUNCTION control.repairing()
RETURNS boolean
LANGUAGE sql STABLE
AS $$ SELECT coalesce(current_setting('dataloader.repair', true), '') IN ('on', 'true', '1') $$;

CREATE FUNCTION control.check_status_move()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
DECLARE
    old_status text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.last_status END;
BEGIN
    IF NEW.last_status NOT IN ('Queued', 'In Progress', 'Succeeded', 'Failed') THEN
        RAISE EXCEPTION 'config_id %: % is not a status', NEW.config_id, quote_literal(NEW.last_status)
            USING ERRCODE = 'check_violation', COLUMN = 'last_status', CONSTRAINT = 'table_control_status',
                HINT = 'Use NULL, Queued, In Progress, Succeeded or Failed.';
    END IF;
    IF NOT may_move(old_status, NEW.last_status) AND NOT repairing() THEN
        RAISE EXCEPTION 'config_id %: last_status cannot go from % to %', NEW.config_id,
            coalesce(quote_literal(old_status), 'NULL'), coalesce(quote_literal(NEW.last_status), 'NULL')
            USING ERRCODE = 'check_violation', COLUMN = 'last_status', CONSTRAINT = 'table_control_status',
                HINT = 'A claim sets Queued, a loader In Progress and Succeeded. To repair by hand: '
                    'BEGIN; SET LOCAL dataloader.repair = ''on''; UPDATE ...; COMMIT;';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.last_status_date_time IS NOT DISTINCT FROM OLD.last_status_date_time THEN
        NEW.last_status_date_time := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;

-- Two triggers, because an INSERT knows no OLD.
CREATE TRIGGER zz_table_control_10_status_created
    BEFORE INSERT ON control.table_control
    FOR EACH ROW WHEN (NEW.last_status IS NOT NULL)
    EXECUTE FUNCTION control.check_status_move();

-- A statement that fires triggers prepares all their conditions anew, and writes out the functions in them: of a claim's
-- 1.3 ms, this one and that of the history took 0.16 ms. So both pass over the moves that claims and loaders make in
-- plain comparisons; whatever else happens is for the functions to judge, by control.may_move().
CREATE TRIGGER zz_table_control_10_status_moved
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (OLD.last_status IS DISTINCT FROM NEW.last_status AND (
        NEW.last_status_date_time IS NOT DISTINCT FROM OLD.last_status_date_time
        OR CASE NEW.last_status
            WHEN 'Queued' THEN OLD.last_status IS NOT NULL AND OLD.last_status NOT IN ('Succeeded', 'Failed')
            WHEN 'In Progress' THEN OLD.last_status IS DISTINCT FROM 'Queued'
            WHEN 'Succeeded' THEN OLD.last_status IS DISTINCT FROM 'In Progress'
            WHEN 'Failed' THEN OLD.last_status IS NULL OR OLD.last_status NOT IN ('Queued', 'In Progress')
            ELSE true END))
    EXECUTE FUNCTION control.check_status_move();
