-- A watermark says how far a load of one configuration has come: watermark_of is that configuration's digest,
-- written by the loader with the value. A person who sets the value means it for the row as it is: NULL.
CREATE FUNCTION control.own_watermark()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    IF NOT is_loader(OLD.last_status) THEN
        NEW.watermark_of := NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_table_control_35_watermark
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (NEW.incremental_value IS DISTINCT FROM OLD.incremental_value)
    EXECUTE FUNCTION control.own_watermark();
