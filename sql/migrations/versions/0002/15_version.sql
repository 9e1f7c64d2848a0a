-- Which versions of the package may work with this schema. A client sends the version it needs with the
-- first transaction of each connection. A later migration that old clients can live with replaces the
-- function with the same `oldest`, so that loads which run during the migration go on.
--
-- Here and below, a search path names pg_temp, and names it last: left out, it is searched first, and a caller's
-- temporary table stands in for ours, with the rights of our owner.
CREATE FUNCTION control.require_version(needed text)
RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, control, pg_temp
AS $$
DECLARE
    oldest CONSTANT text := '0002';
    present text;
BEGIN
    SELECT version_num INTO present FROM dataloader_version;
    IF needed > present THEN
        RAISE EXCEPTION 'its schema has version %, and this package needs %', present, needed
            USING ERRCODE = 'DL001', HINT = 'dataloader db migrate';
    ELSIF needed < oldest THEN
        RAISE EXCEPTION 'its schema has version %, and this package only knows %', present, needed
            USING ERRCODE = 'DL001', HINT = 'install the package version that migrated it, or a newer one.';
    END IF;
    IF NOT EXISTS (SELECT FROM installation) THEN
        RAISE EXCEPTION 'its table control.installation is empty, so that no target knows its loads'
            USING ERRCODE = 'DL001', HINT = 'restore that row from a backup of this database.';
    END IF;
    RETURN true;
END
$$;
