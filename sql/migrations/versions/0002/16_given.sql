-- What a text says without the white space around it; NULL where that is all there is. White space is what
-- Python's str.strip() takes away, character by character, because core/config_snapshot.py reads the same columns; a
-- test compares the two.
CREATE FUNCTION control.given(said text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT nullif(pg_catalog.btrim(said, E'\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003'
        '\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'), '')
$$;
