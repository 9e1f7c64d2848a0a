"""The PostgreSQL dialect: its subjects' modules under the names that loaders use."""

from __future__ import annotations

from airflow_dataloader.sources.columns import find_column
from airflow_dataloader.sources.postgresql import (
    chunks,
    connection,
    cursor,
    days,
    dependencies,
    digest,
    errors,
    fingerprint,
    keys,
    partitions,
    placeholders,
    planning,
    quoting,
    relation,
    row_width,
    styles,
    transaction,
    window,
)


class PostgresqlDialect:
    """PostgreSQL, tested with 15 to 18. Stateless."""

    quote = staticmethod(quoting.quote)
    fixed_sql = staticmethod(relation.fixed_sql)
    differing_text_settings = staticmethod(styles.unlike_styles)
    relation = staticmethod(relation.relation)
    reads_beyond_snapshot = staticmethod(dependencies.reads_foreign_tables)
    relation_identity = staticmethod(dependencies.relation_identity)
    dependencies = staticmethod(dependencies.dependencies)
    plan_columns = staticmethod(planning.plan_columns)
    refuse_ambiguous_keys = staticmethod(keys.refuse_ambiguous_keys)
    key_spelling = staticmethod(keys.key_spelling)
    keeps_texts = staticmethod(keys.keeps_texts)
    describe_spelling = staticmethod(keys.describe_spelling)
    find_column = staticmethod(find_column)
    cursor = staticmethod(cursor.cursor)
    freeze = staticmethod(window.freeze)
    is_from_future = staticmethod(window.is_from_future)
    window_predicate = staticmethod(window.window_predicate)
    newest_rows_predicate = staticmethod(window.newest_rows_predicate)
    cuts = staticmethod(chunks.cuts)
    chunk_rows = staticmethod(chunks.chunk_rows)
    chunk_predicate = staticmethod(chunks.chunk_predicate)
    days = staticmethod(days.days)
    fingerprint = staticmethod(fingerprint.fingerprint)
    key_cuts = staticmethod(digest.key_cuts)
    digests = staticmethod(digest.digests)
    within_parts = staticmethod(digest.within_parts)
    null_cursor_sql = staticmethod(window.null_cursor_sql)
    partitions = staticmethod(partitions.partitions)
    row_width = staticmethod(row_width.row_width)
    session_init = staticmethod(transaction.session_init)
    jdbc = staticmethod(connection.jdbc)
    jdbc_sql = staticmethod(placeholders.jdbc_sql)
    recognise = staticmethod(errors.recognise)
    diagnose = staticmethod(planning.diagnose)

    @staticmethod
    def count_sql(relation: str, where: str | None, also: str | None = None) -> str:
        """Return the query for the number of rows, and of those among them."""
        second = f", count(*) FILTER (WHERE {also})" if also else ""
        return f"SELECT count(*){second} FROM {relation}{_where(where)}"

    @staticmethod
    def probe_sql(relation: str, where: str | None) -> str:
        """Return the query whether there is any row."""
        return f"SELECT EXISTS (SELECT FROM {relation}{_where(where)})"


def _where(where: str | None) -> str:
    return f" WHERE {where}" if where else ""
