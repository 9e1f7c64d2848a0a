"""Reading rows of the control table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select, text

from airflow_dataloader.control.queries import query
from airflow_dataloader.control.selection import condition, target_names
from airflow_dataloader.control.tables import dbconfig, table_control
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.row_label import row_label
from airflow_dataloader.core.selector import Selector
from airflow_dataloader.core.wording import listed
from airflow_dataloader.exceptions import ConfigurationError

#: Rows that a message names.
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class SelectedRow:
    """A row that a selector matches."""

    config_id: int
    label: str


def get_control_tables(engine: Engine, *, limit: int = 10) -> list[dict[str, Any]]:
    """Return rows that are due, by the documents' own query; for looking only, a claim does more."""
    ready = text(query("ready_tables").sql.replace("LIMIT 10", "LIMIT :limit"))
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(ready, {"limit": limit}, execution_options=LAST)
        return [dict(row) for row in found.mappings()]


def get_table_details(
    engine: Engine, *, config_id: int | None = None, control_key: bytes | str | None = None
) -> dict[str, Any] | None:
    """Return a row with its source's columns, or None; ``control_key`` as bytes or hexadecimal.

    Raises ConfigurationError when several rows have that control key: only ``config_id`` is unique.
    """
    source = [column for column in dbconfig.c if column.name not in table_control.c]
    statement = select(table_control, *source).outerjoin_from(
        table_control, dbconfig, dbconfig.c.db_config_key == table_control.c.db_config_key
    )
    if config_id is not None:
        statement = statement.where(table_control.c.config_id == config_id)
    else:
        key = _bytes(control_key) if isinstance(control_key, str) else control_key
        statement = statement.where(table_control.c.control_key == key)
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(statement, execution_options=LAST).mappings().all()
    if len(found) > 1:
        raise ConfigurationError(
            f"{len(found)} rows have this control_key: {', '.join(str(row['config_id']) for row in found)}.",
            field="control_key",
            fix="ask by config_id",
        )
    return dict(found[0]) if found else None


def _bytes(control_key: str) -> bytes:
    try:
        return bytes.fromhex(control_key)
    except ValueError:
        raise ConfigurationError(
            "This control_key is not hexadecimal.",
            field="control_key",
            fix="write it as encode(control_key, 'hex') shows it",
        ) from None


def select_rows(engine: Engine, selector: Selector, *, active: bool = True) -> list[SelectedRow]:
    """Return the active rows that ``selector`` matches, or the inactive ones, in the order of a claim."""
    columns = table_control.c
    catalog, schema, table = target_names()
    statement = (
        select(
            columns.config_id,
            columns.source_table_catalog,
            columns.source_table_schema,
            columns.source_table_name,
            catalog.label("target_catalog"),
            schema.label("target_schema"),
            table.label("target_table"),
        )
        .where(columns.is_active.is_(active), condition(selector))
        .order_by(columns.priority.desc(), columns.next_load_date_time, columns.config_id)
    )
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(statement, execution_options=LAST).mappings().all()
    return [SelectedRow(config_id=row["config_id"], label=row_label(dict(row))) for row in found]


def no_match(selector: Selector, *, of: str = "row") -> ConfigurationError:
    """Return the error of a selector that matches nothing."""
    return ConfigurationError(
        f"No {of} matches {selector}.", field="selector", fix="look at source, name, status and tags"
    )


def no_active_match(control: Engine, selector: Selector) -> ConfigurationError:
    """Return the error of a selector that matches no active row; it names inactive ones that match."""
    inactive = [row.label for row in select_rows(control, selector, active=False)]
    if not inactive:
        return no_match(selector, of="active row")
    return ConfigurationError(
        f"No active row matches {selector}; inactive: {listed(inactive, _NAMED)}.",
        field="selector",
        fix="set is_active to true on the rows that are meant",
    )
