"""The FROM item of a load: a table, or the row's own query."""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.quoting import LONGEST_NAME, literal, quote

#: PostgreSQL's convert is a function like others. What the parser takes it for is another database's.
_FUNCTION_PARSERS = {
    name: parse for name, parse in Postgres.Parser.FUNCTION_PARSERS.items() if name != "CONVERT"
}


class _Queries(Postgres):
    """PostgreSQL's SQL, as rows may hold it."""

    # No class statement: only some releases of the library have a class to name as its base.
    Parser: Any = type("_Parser", (Postgres.Parser,), {"FUNCTION_PARSERS": _FUNCTION_PARSERS})


_ONE_SELECT = "write exactly one SELECT that changes nothing; WITH is fine"

#: What a query may not hold anywhere, with the word for it in the message.
_FORBIDDEN: dict[type[exp.Expression], str] = {
    exp.Into: "INTO",
    exp.Lock: "FOR UPDATE or FOR SHARE",
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Create: "CREATE",
    exp.Drop: "DROP",
    exp.Command: "a command",
}


def relation(source: SourceTable, query: str | None) -> str:
    """Return the quoted table, or the query in parentheses with an alias.

    The query's own text is used, not what the parser made of it; the source parses it again, as one statement
    of a read-only transaction. Raises ConfigurationError naming ``query`` or ``source_table_name``.
    """
    if query is not None:
        # The line break ends a comment that the text may end with.
        return f"({checked_query(query)}\n) AS q"
    if source.name is None:
        raise ConfigurationError(
            "The row names no source table and no query.",
            field="source_table_name",
            fix="name the table, or give a query",
        )
    if source.catalog and not source.schema:
        # PostgreSQL knows no such name, and a table of the database that is connected to may have that of one
        # in the catalog which is meant.
        raise ConfigurationError(
            f"The row names the catalog {source.catalog!r} of its source table, and no schema.",
            field="source_table_schema",
            fix="name the schema too, or leave source_table_catalog empty",
        )
    # PostgreSQL takes a database's name in front of the schema only if it is the one connected to.
    for field, name in (("source_table_schema", source.schema), ("source_table_name", source.name)):
        _refuse_cut(field, name or "")
    parts = [source.schema, source.name] if source.schema else [source.name]
    if source.catalog:
        parts.insert(0, source.catalog)
    return ".".join(quote(part) for part in parts)


def _refuse_cut(field: str, name: str) -> None:
    """Raise ConfigurationError for a name that PostgreSQL would cut off, and read another table by."""
    if len(name.encode()) > LONGEST_NAME:
        raise ConfigurationError(
            f"{name!r} is longer than the {LONGEST_NAME} bytes that a name may have in PostgreSQL.",
            field=field,
            fix="spell the name as the source does: it has cut off what was longer",
        )


def checked_query(query: str) -> str:
    """Return the query up to its last semicolon, if it ends with one, and without comments behind that.

    Raises ConfigurationError unless it is one SELECT.
    """
    try:
        text = _without_end(query)
        statements = [found for found in sqlglot.parse(text, read=_Queries) if found is not None]
    except (SqlglotError, RecursionError) as error:
        # Not all that PostgreSQL reads is known here, nor as deep.
        why = _first_line(error) if isinstance(error, SqlglotError) else "it is nested too deeply"
        fix = f"{_ONE_SELECT}; if the source itself runs it, make it a view there and name that instead"
        raise _refused(f"cannot be parsed ({why})", fix) from None
    if len(statements) != 1:
        raise _refused(f"holds {len(statements)} statements")
    statement = statements[0]
    if not isinstance(statement, exp.Query) or not statement.find(exp.Select):
        raise _refused("is not a SELECT")
    for kind, word in _FORBIDDEN.items():
        if statement.find(kind):
            raise _refused(f"holds {word}")
    return text


def _without_end(query: str) -> str:
    end = len(query)
    for token in reversed(sqlglot.tokenize(query, read=_Queries)):
        if token.token_type is not TokenType.SEMICOLON:
            break
        end = token.start
    return query[:end].strip()


def _refused(what: str, fix: str = _ONE_SELECT) -> ConfigurationError:
    return ConfigurationError(f"The row's query {what}.", field="query", fix=fix)


def _first_line(error: SqlglotError) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def fixed_sql(source: SourceTable, query: str | None) -> str | None:
    """Return the query whether the relation is a table, or one that is filled from elsewhere, not a view."""
    return None if query is not None else f"SELECT {kind_sql(source)} IN ('r', 'p', 'm')"


def kind_sql(source: SourceTable) -> str:
    """Return the expression of the named relation's kind, as ``pg_class.relkind`` says it."""
    name = literal(relation(source, None))
    return f"(SELECT relkind FROM pg_class WHERE oid = CAST({name} AS regclass))"
