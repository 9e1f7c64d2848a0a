"""Digests a source table and its Delta table alike, by a way that shares nothing with the loader.

Both sides turn every row into one text, by their own functions, and add up sixty bits of each row's md5.
Equal counts and sums mean equal multisets of rows, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from airflow_dataloader.core.load_columns import is_load_column

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
    "numeric": "trim_scale({0})::text",
}

#: How Spark writes a value as text, by the type it has there. Others are cast to a string.
_TARGET_TEXT = {
    "timestamp": "date_format({0}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    "timestamp_ntz": "date_format({0}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    "double": "cast(cast({0} AS decimal(20, 6)) AS string)",
}

#: Of a decimal with digits behind its point, zeros at the end mean nothing; nor does a point before nothing.
_FRACTION = "trim(TRAILING '.' FROM trim(TRAILING '0' FROM cast({0} AS string)))"


@contextmanager
def open_spark(remote: str) -> Iterator[Any]:
    """Yield a session at ``remote``, of the comparison's own."""
    from airflow_dataloader.workspace.demo.connect_session import ConnectSession

    client = ConnectSession(connection=remote)
    try:
        client.conf.set("spark.sql.session.timeZone", "UTC")
        yield client
    finally:
        client.stop()


def source_digest(source: psycopg.Connection[Any], relation: str) -> Digest:
    """Return the digest of a FROM item, computed by PostgreSQL."""
    columns = source_columns(source, relation)
    texts = [_source_text(sql.Identifier(name).as_string(source), kind) for name, kind in columns.items()]
    row = " || ".join(f"coalesce(length({text}) || ':' || {text}, '~')" for text in texts)
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(('x' || substr(md5({}), 1, 15))::bit(60)::bigint), 0) FROM {}"
    )
    ((rows, total),) = source.execute(query.format(_raw(row), _raw(relation))).fetchall()
    return Digest(rows=int(rows), total=int(total))


def source_columns(source: psycopg.Connection[Any], relation: str) -> dict[str, str]:
    """Return the columns of a FROM item in order, name to type name."""
    described = source.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(_raw(relation))).description or ()
    names = dict(source.execute("SELECT oid, typname FROM pg_type").fetchall())
    return {column.name: names[column.type_code] for column in described}


def _source_text(quoted: str, kind: str) -> str:
    if kind.startswith("_"):
        return f"to_json({quoted})::text"
    return _SOURCE_TEXT.get(kind, "{0}::text").format(quoted)


def _raw(text: str) -> sql.Composable:
    # psycopg would have every query written down in the code; the demo's tables are.
    return sql.SQL(text)


def target_digest(spark: SparkSession, folder: Path) -> Digest:
    """Return the digest of the Delta table in ``folder``, computed by Spark.

    Columns that loads add of their own are left out.
    """
    frame = spark.read.format("delta").load(str(folder))
    texts = []
    for name, kind in frame.dtypes:
        if is_load_column(name):
            continue
        quoted = "`" + name.replace("`", "``") + "`"
        texts.append(_target_text(quoted, kind))
    row = " || ".join(f"coalesce(cast(length({text}) AS string) || ':' || {text}, '~')" for text in texts)
    hashed = f"cast(conv(substr(md5(cast({row} AS binary)), 1, 15), 16, 10) AS decimal(20, 0))"
    ((rows, total),) = frame.selectExpr("count(*)", f"cast(coalesce(sum({hashed}), 0) AS string)").collect()
    return Digest(rows=int(rows), total=int(total))


def _target_text(quoted: str, kind: str) -> str:
    if kind.startswith("decimal(") and not kind.endswith(",0)"):
        return _FRACTION.format(quoted)
    return _TARGET_TEXT.get(kind, "cast({0} AS string)").format(quoted)
