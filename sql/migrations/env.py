"""Alembic's entry: runs migrations on the one connection that its caller has opened.

The caller (:mod:`airflow_dataloader.control.migrate`) owns connection, transaction and lock.
"""

from __future__ import annotations

from alembic import context

from airflow_dataloader.control.tables import METADATA, SCHEMA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
