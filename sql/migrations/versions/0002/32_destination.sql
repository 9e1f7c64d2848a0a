-- One destination, one active row. The schema may come from the source's default, so the full name is kept
-- in resolved_destination, by triggers on both tables; a partial unique index (40_indexes.sql) is the judge,
-- and the trigger asks before it in order to name both rows.

-- Lower-cased and quoted, because Unity Catalog compares names without case and a name may hold a dot.
-- NULL while a part is missing: such a row cannot be loaded, and the claim says so.
CREATE FUNCTION control.destination(catalog_name text, schema_name text, default_schema text, table_name text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT '`' || replace(lower(control.given(catalog_name)), '`', '``')
        || '`.`' || replace(lower(coalesce(control.given(schema_name), control.given(default_schema))), '`', '``')
        || '`.`' || replace(lower(control.given(table_name)), '`', '``') || '`'
$$;

UPDATE control.table_control t
SET resolved_destination = control.destination(
    t.destination_table_catalog, t.destination_table_schema,
    (SELECT s.default_target_schema FROM control.table_control_dbconfig s
     WHERE s.db_config_key = t.db_config_key),
    t.destination_table_name);

-- An index entry has 2,704 bytes; three names of 255 characters may have more.
CREATE FUNCTION control.destination_key(destination text)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.sha256(pg_catalog.convert_to(destination, 'UTF8')) $$;

-- Runs with the rights of the tables' owner: whoever may edit a row need not be allowed to lock its source.
CREATE FUNCTION control.resolve_destination()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, control, pg_temp
AS $$
DECLARE
    default_schema text;
    other control.table_control;
BEGIN
    -- Locked, so that the source's default cannot change between this look and the commit.
    SELECT s.default_target_schema INTO default_schema
    FROM table_control_dbconfig s WHERE s.db_config_key = NEW.db_config_key FOR SHARE;
    NEW.resolved_destination := destination(
        NEW.destination_table_catalog, NEW.destination_table_schema, default_schema, NEW.destination_table_name);
    IF NOT NEW.is_active OR NEW.resolved_destination IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT t.* INTO other FROM table_control t
    WHERE t.is_active AND t.config_id <> NEW.config_id
        AND destination_key(t.resolved_destination) = destination_key(NEW.resolved_destination);
    IF FOUND THEN
        RAISE EXCEPTION 'config_id % (source %, table %) would load into %, which active config_id % (source %, table %) already loads',
            NEW.config_id, coalesce(NEW.db_config_key, 'NULL'),
            coalesce(concat_ws('.', NEW.source_table_schema, NEW.source_table_name), 'query'),
            NEW.resolved_destination,
            other.config_id, coalesce(other.db_config_key, 'NULL'),
            coalesce(concat_ws('.', other.source_table_schema, other.source_table_name), 'query')
            USING ERRCODE = 'unique_violation', COLUMN = 'destination_table_name',
                CONSTRAINT = 'table_control_one_active_row_per_destination',
                HINT = 'Give one of the two another destination_table_name, or set is_active = false on it.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_table_control_30_destination_created
    BEFORE INSERT ON control.table_control
    FOR EACH ROW EXECUTE FUNCTION control.resolve_destination();

-- Not UPDATE OF these columns: that does not see what a trigger of somebody's own has changed before.
CREATE TRIGGER zz_table_control_30_destination_changed
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (
        NEW.is_active <> OLD.is_active
        OR NEW.db_config_key IS DISTINCT FROM OLD.db_config_key
        OR NEW.destination_table_catalog IS DISTINCT FROM OLD.destination_table_catalog
        OR NEW.destination_table_schema IS DISTINCT FROM OLD.destination_table_schema
        OR NEW.destination_table_name IS DISTINCT FROM OLD.destination_table_name
        OR NEW.resolved_destination IS DISTINCT FROM OLD.resolved_destination)
    EXECUTE FUNCTION control.resolve_destination();

-- The column is the triggers' own: changing it, to whatever, makes the row's trigger compute it again. Rows that were
-- committed since a snapshot was taken are not in it, so one that outlives its statement would leave some as they were.
CREATE FUNCTION control.resolve_destinations_of_source()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'source %: default_target_schema cannot change in a transaction at isolation level %',
            NEW.db_config_key, current_setting('transaction_isolation')
            USING ERRCODE = 'integrity_constraint_violation', COLUMN = 'default_target_schema',
                CONSTRAINT = 'table_control_one_active_row_per_destination',
                HINT = 'Change it in a transaction of its own: BEGIN ISOLATION LEVEL READ COMMITTED; UPDATE ...; COMMIT;';
    END IF;
    UPDATE table_control SET resolved_destination = CASE WHEN resolved_destination IS NULL THEN '' END
    WHERE db_config_key = NEW.db_config_key
        AND control.given(destination_table_schema) IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER zz_table_control_dbconfig_30_default_changed
    AFTER UPDATE ON control.table_control_dbconfig
    FOR EACH ROW WHEN (OLD.default_target_schema IS DISTINCT FROM NEW.default_target_schema)
    EXECUTE FUNCTION control.resolve_destinations_of_source();
