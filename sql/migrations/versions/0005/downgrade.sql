-- Back to version 0004. Its look comes from its own file after this.

CREATE OR REPLACE TRIGGER table_control_20_slot_given
    BEFORE UPDATE OF next_load_date_time ON control.table_control
    FOR EACH ROW WHEN (
        (NEW.is_active AND NOT OLD.is_active)
        OR NEW.load_cron IS DISTINCT FROM OLD.load_cron
        OR NEW.load_timezone IS DISTINCT FROM OLD.load_timezone)
    EXECUTE FUNCTION control.note_given_slot();

DROP FUNCTION control.configuration(control.table_control);
ALTER FUNCTION control.own_configuration(control.table_control) RENAME TO configuration;
