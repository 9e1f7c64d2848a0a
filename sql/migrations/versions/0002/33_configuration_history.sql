-- Every edit of a row's configuration is recorded, whoever makes it and however.
--
-- Who and why come from settings of the transaction:
--   SET LOCAL dataloader.changed_by    = 'anna@example.org'   (without it: the session's user)
--   SET LOCAL dataloader.change_source = 'bulk_edit'          (without it: 'sql')
-- 'loader' and 'status_reset' mean more than a name; see below.

-- What a person decides about a row: every column but the ones that claims, loaders and triggers write, and those that
-- the database computes. A column added later is configuration until it is listed here. A generated column that
-- somebody has added is empty while a trigger looks: counted, it would make an edit of every load's own update.
CREATE FUNCTION control.configuration(row_of control.table_control)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT to_jsonb(row_of) - ARRAY[
        'config_id', 'control_key', 'last_status', 'last_load_date_time', 'next_load_date_time',
        'next_delete_scan', 'last_status_date_time', 'last_status_message', 'last_airflow_run', 'last_databricks_run',
        'created_at', 'last_modified_at', 'create_user', 'last_modified_user', 'retry_count',
        'staging_model_processed', 'load_epoch', 'row_version', 'resolved_destination', 'watermark_of']
        - ARRAY(SELECT CAST(attname AS text) FROM pg_catalog.pg_attribute
            WHERE attrelid = 'control.table_control'::regclass AND attgenerated <> '')
$$;

CREATE FUNCTION control.changed_by()
RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT left(coalesce(nullif(current_setting('dataloader.changed_by', true), ''), session_user), 255) $$;

CREATE FUNCTION control.change_source()
RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT left(coalesce(nullif(current_setting('dataloader.change_source', true), ''), 'sql'), 50) $$;

-- Whether a statement is a loader's own: it says so, and its row is being loaded. A person's UPDATE of such a row
-- says nothing, whatever it sets.
CREATE FUNCTION control.is_loader(old_status text)
RETURNS boolean
LANGUAGE sql STABLE
AS $$ SELECT coalesce(old_status = 'In Progress' AND control.change_source() = 'loader', false) $$;

-- Whether a statement writes what claims and loads write, and of the configuration nothing but columns of somebody's
-- own, as a trigger of theirs does that notes the time of each change: that is nobody's edit.
CREATE FUNCTION control.is_of_a_load(
    old_row control.table_control, new_row control.table_control, before jsonb, after jsonb)
RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT (old_row.last_status, old_row.load_epoch, old_row.last_airflow_run, old_row.last_databricks_run,
            old_row.last_status_message, old_row.retry_count, old_row.staging_model_processed,
            old_row.incremental_value, old_row.watermark_of)
        IS DISTINCT FROM (new_row.last_status, new_row.load_epoch, new_row.last_airflow_run,
            new_row.last_databricks_run, new_row.last_status_message, new_row.retry_count,
            new_row.staging_model_processed, new_row.incremental_value, new_row.watermark_of)
        AND NOT EXISTS (
            SELECT FROM jsonb_each(after) AS column_of
            JOIN pg_catalog.pg_attribute a ON CAST(a.attname AS text) = column_of.key
                AND a.attrelid = to_regclass('control.load_configuration')
            WHERE column_of.value IS DISTINCT FROM before -> column_of.key)
$$;

-- row_version, last_modified_at and last_modified_user move with the configuration and with nothing else.
-- A loader that moves the watermark edits nothing: that is its work, and historical_metadata tells of it. A
-- strategy or a load_full that it changes is an edit like any other.
CREATE FUNCTION control.count_edit()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
DECLARE
    edited table_control := NEW;
    before jsonb;
    after jsonb;
BEGIN
    NEW.row_version := OLD.row_version;
    -- Most updates are a load's. Comparing rows tells them apart thirty times faster than comparing JSON; byte by
    -- byte, because a column that somebody has added may have a type without an equality, as json has none.
    edited.control_key := OLD.control_key;
    edited.last_status := OLD.last_status;
    edited.last_load_date_time := OLD.last_load_date_time;
    edited.next_load_date_time := OLD.next_load_date_time;
    edited.next_delete_scan := OLD.next_delete_scan;
    edited.last_status_date_time := OLD.last_status_date_time;
    edited.last_status_message := OLD.last_status_message;
    edited.last_airflow_run := OLD.last_airflow_run;
    edited.last_databricks_run := OLD.last_databricks_run;
    edited.created_at := OLD.created_at;
    edited.last_modified_at := OLD.last_modified_at;
    edited.create_user := OLD.create_user;
    edited.last_modified_user := OLD.last_modified_user;
    edited.retry_count := OLD.retry_count;
    edited.staging_model_processed := OLD.staging_model_processed;
    edited.load_epoch := OLD.load_epoch;
    edited.row_version := OLD.row_version;
    edited.resolved_destination := OLD.resolved_destination;
    edited.watermark_of := OLD.watermark_of;
    IF edited OPERATOR(pg_catalog.*=) OLD THEN
        RETURN NEW;
    END IF;
    before := configuration(OLD);
    after := configuration(NEW);
    IF is_loader(OLD.last_status) THEN
        before := before - 'incremental_value';
        after := after - 'incremental_value';
    END IF;
    IF before <> after AND NOT is_of_a_load(OLD, NEW, before, after) THEN
        NEW.row_version := OLD.row_version + 1;
        NEW.last_modified_at := clock_timestamp();
        IF NEW.last_modified_user IS NOT DISTINCT FROM OLD.last_modified_user THEN
            NEW.last_modified_user := changed_by();
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_table_control_40_edit
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW EXECUTE FUNCTION control.count_edit();

CREATE FUNCTION control.count_creation()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    NEW.row_version := 1;
    NEW.create_user := coalesce(NEW.create_user, changed_by());
    NEW.last_modified_user := coalesce(NEW.last_modified_user, NEW.create_user);
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_table_control_40_creation
    BEFORE INSERT ON control.table_control
    FOR EACH ROW EXECUTE FUNCTION control.count_creation();

-- A status is not configuration; it is recorded when a person moved it: past the rules, as the documents'
-- status_reset, or to Succeeded, which otherwise only a loader writes.
CREATE FUNCTION control.is_moved_by_hand(old_status text, new_status text)
RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT old_status IS DISTINCT FROM new_status AND (
        NOT control.may_move(old_status, new_status)
        OR control.change_source() IN ('repair', 'status_reset')
        OR coalesce(new_status = 'Succeeded', false) AND NOT control.is_loader(old_status))
$$;

-- Runs with the rights of the tables' owner: whoever may edit a row need not be able to write its history.
-- Old and new values are the whole configuration, so that a deleted row can be told by name and put back.
CREATE FUNCTION control.record_change()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, control, pg_temp
AS $$
DECLARE
    source text;
    moved boolean;
    before jsonb;
    after jsonb;
    fields text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        source := change_source();
        after := configuration(NEW);
    ELSIF TG_OP = 'DELETE' THEN
        source := change_source();
        before := configuration(OLD);
    ELSE
        source := CASE
            WHEN may_move(OLD.last_status, NEW.last_status) THEN change_source() ELSE 'repair' END;
        moved := is_moved_by_hand(OLD.last_status, NEW.last_status);
        before := configuration(OLD);
        after := configuration(NEW);
        IF moved THEN
            before := before || jsonb_build_object('last_status', OLD.last_status);
            after := after || jsonb_build_object('last_status', NEW.last_status);
        END IF;
        SELECT array_agg(key ORDER BY key) INTO fields
        FROM jsonb_each(after) WHERE value IS DISTINCT FROM before -> key;
        IF fields IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO table_control_history
        (control_key, config_id, changed_by, change_type, change_source, old_values, new_values, changed_fields)
    VALUES (
        CASE WHEN TG_OP = 'DELETE' THEN OLD.control_key ELSE NEW.control_key END,
        CASE WHEN TG_OP = 'DELETE' THEN OLD.config_id ELSE NEW.config_id END,
        changed_by(), TG_OP, source, before, after, fields);
    RETURN NULL;
END
$$;

CREATE TRIGGER zz_table_control_50_history
    AFTER INSERT OR DELETE ON control.table_control
    FOR EACH ROW EXECUTE FUNCTION control.record_change();

-- An edit, and of the other moves those that control.is_moved_by_hand() calls so, in plain comparisons as in
-- 30_status_moves.sql. The function leaves out what is neither.
CREATE TRIGGER zz_table_control_50_history_of_edits
    AFTER UPDATE ON control.table_control
    FOR EACH ROW WHEN (OLD.row_version <> NEW.row_version
        OR (OLD.last_status IS DISTINCT FROM NEW.last_status AND (
            CASE NEW.last_status
                WHEN 'Queued' THEN OLD.last_status IS NOT NULL AND OLD.last_status NOT IN ('Succeeded', 'Failed')
                WHEN 'In Progress' THEN OLD.last_status IS DISTINCT FROM 'Queued'
                WHEN 'Succeeded' THEN OLD.last_status IS DISTINCT FROM 'In Progress'
                    OR coalesce(current_setting('dataloader.change_source', true), '') <> 'loader'
                WHEN 'Failed' THEN OLD.last_status IS NULL OR OLD.last_status NOT IN ('Queued', 'In Progress')
                ELSE true END
            OR current_setting('dataloader.change_source', true) IN ('repair', 'status_reset'))))
    EXECUTE FUNCTION control.record_change();

-- TRUNCATE fires no trigger of a row.
CREATE FUNCTION control.record_truncation()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    INSERT INTO table_control_history
        (control_key, config_id, changed_by, change_type, change_source, old_values)
    SELECT t.control_key, t.config_id, changed_by(), 'DELETE', change_source(), configuration(t)
    FROM table_control t;
    RETURN NULL;
END
$$;

CREATE TRIGGER zz_table_control_50_history_of_truncation
    BEFORE TRUNCATE ON control.table_control
    FOR EACH STATEMENT EXECUTE FUNCTION control.record_truncation();

CREATE FUNCTION control.count_source_edit()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    NEW.last_modified_at := clock_timestamp();
    IF NEW.last_modified_user IS NOT DISTINCT FROM OLD.last_modified_user THEN
        NEW.last_modified_user := changed_by();
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_table_control_dbconfig_40_edit
    BEFORE UPDATE ON control.table_control_dbconfig
    FOR EACH ROW WHEN (OLD.* OPERATOR(pg_catalog.*<>) NEW.*)
    EXECUTE FUNCTION control.count_source_edit();

-- A trigger fires whatever its writer may execute, but who creates one must have the right to its function: on a
-- table of somebody's own, these would write the history, lock rows and look sources up with the rights of our owner.
REVOKE EXECUTE ON FUNCTION control.check_epoch(), control.resolve_destination(),
    control.resolve_destinations_of_source(), control.record_change(), control.record_truncation() FROM PUBLIC;
