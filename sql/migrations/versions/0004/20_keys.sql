-- The same digests of the same bytes. convert_to() is only stable, so that a function with it is called for each row,
-- twice an update; written like this, which is immutable all through, the planner writes it out where it is used. A text
-- whose backslashes are doubled is its own bytes in the format 'escape', and a control database's encoding is UTF8.
CREATE OR REPLACE FUNCTION control.source_key(catalog_name text, schema_name text, table_name text)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT pg_catalog.sha256(pg_catalog.decode(pg_catalog.replace(
        coalesce(catalog_name, '') || coalesce(schema_name, '') || coalesce(table_name, ''), '\', '\\'), 'escape'))
$$;

CREATE OR REPLACE FUNCTION control.destination_key(destination text)
RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.sha256(pg_catalog.decode(pg_catalog.replace(destination, '\', '\\'), 'escape')) $$;
