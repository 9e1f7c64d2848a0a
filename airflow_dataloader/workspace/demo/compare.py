"""Compares a source table with its Delta table, by a way that shares nothing with the loader.

Both sides turn every row into one text, by their own functions, and add up sixty bits of each row's md5.
Equal counts and sums mean equal multisets of rows, whatever their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, kw_only=True)
class Digest:
    """Row count, and the sum of the rows' hashes."""

    rows: int
    total: int


#: How the source writes a value as text, by type name; ``{0}`` is the column. Others are cast to text.
_SOURCE_TEXT = {
    "timestamptz": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "timestamp": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US')",
    "float8": "{0}::numeric(20, 6)::text",
}

#: How Spark writes a value as text, by the type it has there.
_TARGET_TEXT = {
    "timestamp": "date_format({0}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    "timestamp_ntz": "date_format({0}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    "double": "cast(cast({0} AS decimal(20, 6)) AS string)",
}


def open_spark(remote: str | None) -> SparkSession:
    """Return a session of the comparison's own, in the Spark that the loads use."""
    from pyspark.sql import SparkSession

    if remote is not None:
        spark: SparkSession = SparkSession.builder.remote(remote).create()
        return spark
    return SparkSession.active().newSession()


def source_digest(source: psycopg.Connection[Any], relation: str) -> Digest:
    """Return the digest of a FROM item, computed by PostgreSQL."""
    columns = source_columns(source, relation)
    texts = [_source_text(sql.Identifier(name).as_string(source), kind) for name, kind in columns.items()]
    row = " || ".join(f"coalesce(length({text}) || ':' || {text}, '~')" for text in texts)
    query = (
        f"SELECT count(*), coalesce(sum(('x' || substr(md5({row}), 1, 15))::bit(60)::bigint), 0) "  # noqa: S608
        f"FROM {relation}"
    )
    ((rows, total),) = source.execute(query.encode()).fetchall()
    return Digest(rows=int(rows), total=int(total))


def source_columns(source: psycopg.Connection[Any], relation: str) -> dict[str, str]:
    """Return the columns of a FROM item in order, name to type name."""
    described = source.execute(f"SELECT * FROM {relation} LIMIT 0".encode()).description or ()  # noqa: S608
    names = dict(source.execute("SELECT oid, typname FROM pg_type").fetchall())
    return {column.name: names[column.type_code] for column in described}


def _source_text(quoted: str, kind: str) -> str:
    if kind.startswith("_"):
        return f"to_json({quoted})::text"
    return _SOURCE_TEXT.get(kind, "{0}::text").format(quoted)


def target_digest(spark: SparkSession, table: str) -> Digest:
    """Return the digest of a Delta table, computed by Spark; ``table`` is a quoted identifier."""
    texts = []
    for name, kind in spark.sql(f"SELECT * FROM {table}").dtypes:  # noqa: S608
        quoted = "`" + name.replace("`", "``") + "`"
        texts.append(_TARGET_TEXT.get(kind, "cast({0} AS string)").format(quoted))
    row = " || ".join(f"coalesce(cast(length({text}) AS string) || ':' || {text}, '~')" for text in texts)
    hashed = f"cast(conv(substr(md5(cast({row} AS binary)), 1, 15), 16, 10) AS decimal(20, 0))"
    query = f"SELECT count(*), cast(coalesce(sum({hashed}), 0) AS string) FROM {table}"  # noqa: S608
    rows, total = spark.sql(query).collect()[0]
    return Digest(rows=int(rows), total=int(total))
