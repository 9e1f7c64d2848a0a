-- Arming: a row that is activated, or gets another cron or zone, loses its slot, and the next claim gives it
-- a new one; unless the statement itself says when.

-- An UPDATE that names the column is only visible to a trigger of that column, also when it repeats the old
-- value. This one fires first and leaves a note for the next; the note lives as long as this row's turn.
CREATE FUNCTION control.note_given_slot()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    PERFORM set_config('dataloader.slot_given', NEW.config_id::text, true);
    RETURN NEW;
END
$$;

CREATE FUNCTION control.arm()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    IF current_setting('dataloader.slot_given', true) = NEW.config_id::text THEN
        PERFORM set_config('dataloader.slot_given', '', true);
    ELSE
        NEW.next_load_date_time := NULL;
    END IF;
    RETURN NEW;
END
$$;

-- The scan for deleted rows has a slot beside that of loads. The claim of the row gives it, too.
CREATE FUNCTION control.arm_delete_scan()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    IF NEW.next_delete_scan IS NOT DISTINCT FROM OLD.next_delete_scan THEN
        NEW.next_delete_scan := NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_table_control_22_arm_delete_scan
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (
        (NEW.is_active AND NOT OLD.is_active)
        OR NEW.delete_policy IS DISTINCT FROM OLD.delete_policy
        OR NEW.delete_cron IS DISTINCT FROM OLD.delete_cron
        OR NEW.load_timezone IS DISTINCT FROM OLD.load_timezone)
    EXECUTE FUNCTION control.arm_delete_scan();

-- A row whose cron could not be read waits for ever, until its cron is mended. An editor that writes all columns back
-- repeats the slot with it, and means nothing by that, also where the same save activates the row.
CREATE TRIGGER zz_table_control_20_slot_given
    BEFORE UPDATE OF next_load_date_time ON control.table_control
    FOR EACH ROW WHEN (
        CASE WHEN NEW.load_cron IS DISTINCT FROM OLD.load_cron
                OR NEW.load_timezone IS DISTINCT FROM OLD.load_timezone
            THEN NOT coalesce(OLD.next_load_date_time = 'infinity' AND NEW.next_load_date_time = 'infinity', false)
            ELSE NEW.is_active AND NOT OLD.is_active END)
    EXECUTE FUNCTION control.note_given_slot();

CREATE TRIGGER zz_table_control_21_arm
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (
        (NEW.is_active AND NOT OLD.is_active)
        OR NEW.load_cron IS DISTINCT FROM OLD.load_cron
        OR NEW.load_timezone IS DISTINCT FROM OLD.load_timezone)
    EXECUTE FUNCTION control.arm();

-- Whether a row waits for its slot. control/arm.py gives it one; a claim asks whether there is such a row. The
-- planner writes the condition out where it is asked, and so knows its index by it.
CREATE FUNCTION control.is_unarmed(t control.table_control)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT t.is_active AND t.load_cron IS NOT NULL AND t.next_load_date_time IS NULL
        AND control.given(t.load_cron) IS NOT NULL
$$;
