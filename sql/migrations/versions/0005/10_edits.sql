-- What a person decides about a row is what 0002/33_configuration_history.sql says, without what the database computes of
-- it: a generated column that somebody has added is empty while a trigger looks, so that every load's own update was
-- taken for an edit, and moved row_version.
ALTER FUNCTION control.configuration(control.table_control) RENAME TO own_configuration;

CREATE FUNCTION control.configuration(row_of control.table_control)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT control.own_configuration(row_of)
        - ARRAY(SELECT CAST(attname AS text) FROM pg_catalog.pg_attribute
            WHERE attrelid = 'control.table_control'::regclass AND attgenerated <> '')
$$;

-- A row whose cron could not be read waits for ever, until its cron is mended. An editor that writes all columns back
-- repeats the slot with it, and means nothing by that, also where the same save activates the row.
CREATE OR REPLACE TRIGGER table_control_20_slot_given
    BEFORE UPDATE OF next_load_date_time ON control.table_control
    FOR EACH ROW WHEN (
        CASE WHEN NEW.load_cron IS DISTINCT FROM OLD.load_cron
                OR NEW.load_timezone IS DISTINCT FROM OLD.load_timezone
            THEN NOT coalesce(OLD.next_load_date_time = 'infinity' AND NEW.next_load_date_time = 'infinity', false)
            ELSE NEW.is_active AND NOT OLD.is_active END)
    EXECUTE FUNCTION control.note_given_slot();

-- Rows that waited so because one machine did not know their zone, or could not read it for a moment.
UPDATE control.table_control SET next_load_date_time = NULL
WHERE is_active AND next_load_date_time = 'infinity' AND last_status = 'Failed'
    AND strpos(last_status_message, ' cannot be loaded: load_timezone: ') > 0;
