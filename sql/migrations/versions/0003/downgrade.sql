-- Back to version 0002: its conditions, and questions asked in each place. Its claim comes from its own file after this.

-- The lock that a further step down takes, at once: asked for later, it and a claim might wait for each other.
LOCK TABLE control.table_control, control.historical_metadata IN ACCESS EXCLUSIVE MODE;

CREATE OR REPLACE TRIGGER table_control_10_status_moved
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (OLD.last_status IS DISTINCT FROM NEW.last_status AND (
        NOT control.may_move(OLD.last_status, NEW.last_status)
        OR NEW.last_status_date_time IS NOT DISTINCT FROM OLD.last_status_date_time))
    EXECUTE FUNCTION control.check_status_move();

CREATE OR REPLACE TRIGGER table_control_50_history_of_edits
    AFTER UPDATE ON control.table_control
    FOR EACH ROW WHEN (
        OLD.row_version <> NEW.row_version OR control.is_moved_by_hand(OLD.last_status, NEW.last_status))
    EXECUTE FUNCTION control.record_change();

DROP FUNCTION control.target_key(control.historical_metadata), control.has_paid(control.historical_metadata),
    control.is_uncertain(control.historical_metadata), control.seconds_since(timestamptz),
    control.snapshot(control.table_control, control.table_control_dbconfig),
    control.take_rows(integer, integer, bigint[], bigint[]),
    control.begin_claim(text, text, bigint, integer, integer, bigint[]),
    control.queue_rows(jsonb, text, text, text, interval);

DROP INDEX control.table_control_ready_in_order;

COMMENT ON COLUMN control.historical_metadata.airflow_base_url IS 'Which Airflow.';
