"""What a relation is made of by the source's plan, also below views, queries, partitions and children."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import Dependencies
from airflow_dataloader.sources.postgresql.quoting import literal, quote

_FOREIGN = "SELECT EXISTS (SELECT FROM pg_foreign_table)"

#: Tables of other PostgreSQL servers that the transaction has come upon, by the locks that it has here. The
#: login must be able to ask for them by itself, also where it reads them through somebody else's view.
_REMOTE = """
    SELECT concat(quote_ident(n.nspname), '.', quote_ident(c.relname))
    FROM pg_locks AS l
    JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
    JOIN pg_class AS c ON c.oid = l.relation
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_foreign_table AS f ON f.ftrelid = c.oid
    JOIN pg_foreign_server AS s ON s.oid = f.ftserver
    JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
    JOIN pg_proc AS p ON p.oid = w.fdwhandler AND p.proname = 'postgres_fdw_handler'
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
      AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
      AND EXISTS (SELECT FROM pg_user_mappings AS m
                  WHERE m.srvid = s.oid AND (m.umuser = 0 OR m.usename = current_user))
    ORDER BY 1
"""

#: Steps whose rows or values depend on the order in which a connection happens to read: numbers of rows that
#: are alike, the first so many, one of those that are alike in some columns, and samples.
_BY_CHANCE = frozenset({"WindowAgg", "Limit", "Unique", "Sample Scan"})

#: A table in a step that leaves a join or an aggregate to another server: ``(a.b) INNER JOIN (a."C" d)``.
_NAME = r'"(?:[^"]|"")*"|[^\s.()"]+'
_JOINED = re.compile(rf"\(({_NAME})\.({_NAME})(?: (?:{_NAME}))?\)")


def reads_foreign_tables(ask: Ask, relation: str) -> bool:
    """Return whether rows come from foreign tables; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Each connection sees a state of its own of what they show, whatever snapshot it names. What a function
    fetches from another server is not seen.
    """
    if not ask(_FOREIGN)[0][0]:
        return False
    return any(step["Node Type"] == "Foreign Scan" for step in _steps(ask, relation))


def remote_tables(ask: Ask) -> tuple[str, ...]:
    """Return the foreign tables that the transaction has locked, as far as they can be locked there, too."""
    if not ask(_FOREIGN)[0][0]:
        return ()
    return tuple(str(name) for (name,) in ask(_REMOTE))


def dependencies(ask: Ask, relation: str) -> Dependencies:
    """Return what the relation is made of by now; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    A plan names tables by the newest list of a table's partitions or children, and names mean the tables that
    have them by now, whatever snapshot asks.
    """
    steps = list(_steps(ask, relation))
    names = sorted({name for step in steps for name in _names(step)})
    return Dependencies(
        tables=frozenset((*name, number) for name, number in zip(names, _numbers(ask, names), strict=True)),
        nondeterministic=any(step["Node Type"] in _BY_CHANCE for step in steps),
    )


def relation_identity(ask: Ask, relation: str) -> str | None:
    """Return what tells the table or view from another of its name; see the protocol's method.

    A table's number goes with it when it is renamed, and stays when it is rewritten. A view's stays also when
    it is defined anew.
    """
    if relation.startswith("("):
        return None
    rows = ask(
        "SELECT oid::bigint, CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) ELSE '' END "
        f"FROM pg_class WHERE oid = to_regclass({literal(relation)})"
    )
    # None is there any more that the snapshot shows: the read will say so.
    return hashlib.sha256(repr(tuple(rows[0])).encode()).hexdigest()[:16] if rows else None


def _names(step: dict[str, Any]) -> list[tuple[str, str]]:
    """Return schema and name of the tables that a step reads itself; a foreign server may join several."""
    if "Relation Name" in step:
        return [(step["Schema"], step["Relation Name"])]
    joined = _JOINED.findall(step.get("Relations", ""))
    return [(_unquoted(schema), _unquoted(table)) for schema, table in joined]


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _numbers(ask: Ask, names: Sequence[tuple[str, str]]) -> list[int]:
    """Return the number of each table, or of its schema where the login may not look into that.

    What a view or a partitioned table is made of may lie there all the same. A schema's number is another,
    too, when its name has gone to another one.
    """
    if not names:
        return []
    pairs = ", ".join(f"({literal(quote(schema))}, {literal(quote(table))})" for schema, table in names)
    # By functions that look where names are looked up: the catalogue's own rows are those of the snapshot.
    rows = ask(
        "SELECT coalesce(CASE WHEN has_schema_privilege(to_regnamespace(schema)::oid, 'USAGE') "
        "THEN to_regclass(concat(schema, '.', name))::oid ELSE to_regnamespace(schema)::oid END, 0)::bigint "
        f"FROM (VALUES {pairs}) AS named(schema, name)"
    )
    return [int(number) for (number,) in rows]


def _steps(ask: Ask, relation: str) -> Iterator[dict[str, Any]]:
    ((plans,),) = ask(f"EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM {relation}")
    waiting = [plan["Plan"] for plan in plans]
    while waiting:
        step = waiting.pop()
        yield step
        waiting += step.get("Plans", ())
