"""What PostgreSQL says about a relation's columns, a table's and a query's alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dataloader.sources.model import DescribedColumn

#: Arrays in the catalogue that have no JSON form worth the name.
_VECTORS = frozenset({"int2vector", "oidvector"})


@dataclass(frozen=True, kw_only=True)
class ResultColumn:
    """One column of a statement's result, as the protocol describes it: domains are their base types."""

    name: str
    type_oid: int
    modifier: int


def describe_sql(relation: str) -> str:
    """Return the statement whose result has the relation's columns and no rows."""
    return f"SELECT * FROM {relation} LIMIT 0"


#: What type ``t`` is made of. Servers before 14 have no multiranges, and no column for them.
_MADE_OF = """
    SELECT t.typbasetype WHERE t.typtype = 'd'
    UNION ALL SELECT t.typelem WHERE t.typcategory = 'A'
    UNION ALL SELECT a.atttypid FROM pg_attribute AS a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT r.rngsubtype FROM pg_range AS r
        WHERE t.oid = r.rngtypid OR t.oid::text = to_jsonb(r) ->> 'rngmultitypid'
"""


#: Whether an array's elements are such that JSON does not tell all of them apart: it has no bounds for an
#: array in an element, and one null for the two of a composite's field. What a cast that somebody has made
#: writes as JSON is anything, such as a geometry without its reference system; that of hstore tells all.
_NESTED = (
    "bool_or(t.typcategory = 'A') OR (bool_or(t.typtype = 'c') AND bool_or(t.oid IN "
    "('pg_catalog.json'::regtype, 'pg_catalog.jsonb'::regtype))) OR bool_or(EXISTS (SELECT FROM pg_cast AS k "
    "JOIN pg_proc AS f ON f.oid = k.castfunc WHERE k.castsource = t.oid "
    "AND k.casttarget = 'pg_catalog.json'::regtype AND f.proname <> 'hstore_to_json'))"
)


def _digest(x: str, length: int) -> str:
    """Return the SQL expression of a digest of a text, by its bytes as they are stored."""
    return f"left(encode(sha256(convert_to({x}, getdatabaseencoding())), 'hex'), {length})"


#: What texts of a type depend on beside its name, of itself and of all that it is made of: a digest of fields
#: with their types, and one of each label, as ``fields:label,label``. Of very many labels none is told.
_FIELDS = _digest(
    # By their place, whatever was there and has gone; by their names where those become JSON's; with the
    # arguments of types whose texts they decide. format_type() would name schemas that are not searched.
    "string_agg(DISTINCT concat_ws(' ', t.typname, (SELECT count(*) FROM pg_attribute AS b WHERE "
    "b.attrelid = a.attrelid AND b.attnum > 0 AND b.attnum <= a.attnum AND NOT b.attisdropped), "
    "CASE WHEN w.typcategory = 'A' THEN a.attname END, f.typname, "
    "CASE WHEN f.typname IN ('numeric', '_numeric', 'bpchar', '_bpchar') THEN a.atttypmod END), ',')",
    8,
)
_DEFINITIONS = f"""
    SELECT made.whole, concat(
        {_FIELDS}, ':', CASE WHEN count(DISTINCT e.oid) <= 64
            THEN string_agg(DISTINCT {_digest("e.enumlabel::text", 4)}, ',') END) AS definition
    FROM made JOIN pg_type AS t ON t.oid = made.type JOIN pg_type AS w ON w.oid = made.whole
    LEFT JOIN pg_attribute AS a
        ON t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_type AS f ON f.oid = a.atttypid
    LEFT JOIN pg_enum AS e ON t.typtype = 'e' AND e.enumtypid = t.oid
    WHERE a.attname IS NOT NULL OR e.enumlabel IS NOT NULL GROUP BY made.whole
"""


#: With the source's style where a part's text depends on it; a value that is no part of another is kept
#: without.
_STYLED = """
    concat(CASE WHEN 'interval' = ANY(parts.names) THEN current_setting('IntervalStyle') || ' ' END,
        CASE WHEN 'bytea' = ANY(parts.names) THEN current_setting('bytea_output') || ' ' END,
        coalesce(definitions.definition,
            CASE WHEN parts.names && ARRAY['interval', 'bytea'] THEN ':' END))
"""


def types_sql(columns: Sequence[ResultColumn]) -> str:
    """Return the query that names the columns' types and what those are made of, a row a column, in order."""
    pairs = ", ".join(
        f"({number}, {column.type_oid}::oid, {column.modifier})" for number, column in enumerate(columns)
    )
    return (
        f"WITH RECURSIVE c(number, type, modifier) AS (VALUES {pairs}), "
        "made(whole, type) AS ("
        "SELECT DISTINCT type, type FROM c UNION SELECT made.whole, part.type FROM made "
        f"JOIN pg_type AS t ON t.oid = made.type CROSS JOIN LATERAL ({_MADE_OF}) AS part(type) "
        "WHERE part.type <> 0), "
        "parts(whole, names, nested) AS (SELECT made.whole, "
        "array_agg(CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE n.nspname || '.' END || t.typname), "
        f"{_NESTED} "
        "FROM made JOIN pg_type AS t ON t.oid = made.type JOIN pg_namespace AS n ON n.oid = t.typnamespace "
        f"WHERE made.type <> made.whole GROUP BY made.whole), definitions AS ({_DEFINITIONS}) "
        "SELECT t.typname::text, n.nspname = 'pg_catalog', t.typcategory = 'A' AND NOT parts.nested, "
        f"format_type(c.type, c.modifier), coalesce(parts.names, '{{}}'), {_STYLED} "
        "FROM c JOIN pg_type AS t ON t.oid = c.type JOIN pg_namespace AS n ON n.oid = t.typnamespace "
        "LEFT JOIN parts ON parts.whole = c.type "
        "LEFT JOIN definitions ON definitions.whole = c.type ORDER BY c.number"
    )


def described(
    columns: Sequence[ResultColumn], types: Sequence[tuple[Any, ...]]
) -> tuple[DescribedColumn, ...]:
    """Join the result's columns with the rows of :func:`types_sql`."""
    return tuple(
        DescribedColumn(
            name=column.name,
            # A type that somebody made may share a built-in's name, and nothing else.
            base=base if built_in else declared,
            declared=declared,
            modifier=column.modifier,
            array=by_element and base not in _VECTORS,
            parts=frozenset(parts),
            definition=definition,
        )
        for column, (base, built_in, by_element, declared, parts, definition) in zip(
            columns, types, strict=True
        )
    )
