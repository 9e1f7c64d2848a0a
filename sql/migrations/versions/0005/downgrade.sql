-- Back to version 0004. Its look comes from its own file after this.

CREATE OR REPLACE TRIGGER table_control_20_slot_given
    BEFORE UPDATE OF next_load_date_time ON control.table_control
    FOR EACH ROW WHEN (
        (NEW.is_active AND NOT OLD.is_active)
        OR NEW.load_cron IS DISTINCT FROM OLD.load_cron
        OR NEW.load_timezone IS DISTINCT FROM OLD.load_timezone)
    EXECUTE FUNCTION control.note_given_slot();

CREATE OR REPLACE FUNCTION control.configuration(row_of control.table_control)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT to_jsonb(row_of) - ARRAY[
        'config_id', 'control_key', 'last_status', 'last_load_date_time', 'next_load_date_time',
        'next_delete_scan', 'last_status_date_time', 'last_status_message', 'last_airflow_run', 'last_databricks_run',
        'created_at', 'last_modified_at', 'create_user', 'last_modified_user', 'retry_count',
        'staging_model_processed', 'load_epoch', 'row_version', 'resolved_destination', 'watermark_of']
$$;
