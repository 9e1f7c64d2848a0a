"""Rights on what a migration drops and makes anew, which would be gone with it: the view, and control_key."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from airflow_dataloader.control.migrations import run_statement

#: Of the view as a whole, and of the columns of both that somebody was given rights on one by one.
_GRANTS = text("""
WITH given AS (
    SELECT c.relname, NULL AS attname, c.relowner, c.relacl AS acl
    FROM pg_class c WHERE c.oid = 'control.table_control_history_vw'::regclass
    UNION ALL
    SELECT c.relname, a.attname, c.relowner, a.attacl
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE c.oid = 'control.table_control_history_vw'::regclass
        OR (c.oid = 'control.table_control'::regclass AND a.attname = 'control_key')
)
SELECT relname, attname, format('GRANT %s %s ON control.%I TO %s%s',
    privilege_type,
    CASE WHEN attname IS NOT NULL THEN format('(%I)', attname) END,
    relname,
    CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END) AS statement
FROM given CROSS JOIN LATERAL aclexplode(acl) WHERE grantee <> relowner""")

_HAS_COLUMN = text("""
SELECT EXISTS (
    SELECT FROM information_schema.columns
    WHERE table_schema = 'control' AND table_name = :relation AND column_name = :column)""")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A right that somebody has, and the statement that gives it."""

    relation: str
    #: None: of the whole relation.
    column: str | None
    statement: str


def read_grants(bind: Connection) -> tuple[Grant, ...]:
    """Return the rights that :func:`regrant` will have to give back, but the owner's."""
    return tuple(
        Grant(relation=row.relname, column=row.attname, statement=row.statement)
        for row in bind.execute(_GRANTS)
    )


def regrant(bind: Connection, grants: tuple[Grant, ...]) -> None:
    """Give the rights back, but for those on a column that the new view does not have."""
    for grant in grants:
        names = {"relation": grant.relation, "column": grant.column}
        if grant.column is None or bind.execute(_HAS_COLUMN, names).scalar():
            run_statement(bind, grant.statement)
