"""A selector as a condition on ``table_control``."""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, func, literal, or_, select

from airflow_dataloader.control.tables import dbconfig, table_control
from airflow_dataloader.core.selector import NO_STATUS, Field, Selector, Term, like

_COLUMNS = table_control.c

_Name: TypeAlias = ColumnElement[str | None]


def condition(selector: Selector) -> ColumnElement[bool]:
    """Return the condition that holds for the selected rows, active or not."""
    return and_(*(_term(term) for term in selector.terms))


def _term(term: Term) -> ColumnElement[bool]:
    return or_(*(_matches(term.field, pattern) for pattern in term.patterns))


def _matches(field: Field, pattern: str) -> ColumnElement[bool]:
    match field:
        case Field.NAME:
            return _name(pattern)
        case Field.TAG:
            tag = func.unnest(_COLUMNS.tags).table_valued("value").render_derived()
            return select(1).select_from(tag).where(_like(tag.c.value, pattern)).exists()
        case Field.STATUS:
            return _like(func.coalesce(_COLUMNS.last_status, NO_STATUS), pattern)
        case Field.SOURCE:
            return _like(_COLUMNS.db_config_key, pattern)
        case Field.STRATEGY:
            return _like(_COLUMNS.load_strategy, pattern)
        case Field.OWNER:
            return _like(_COLUMNS.owner, pattern)


def target_names() -> tuple[_Name, _Name, _Name]:
    """Return catalog, schema and table of a row's target as a load will have them; NULL where not given."""
    default = (
        select(_given(dbconfig.c.default_target_schema))
        .where(dbconfig.c.db_config_key == _COLUMNS.db_config_key)
        .correlate(table_control)
        .scalar_subquery()
    )
    return (
        _given(_COLUMNS.destination_table_catalog),
        func.coalesce(_given(_COLUMNS.destination_table_schema), default),
        _given(_COLUMNS.destination_table_name),
    )


def _given(name: _Name) -> _Name:
    """Return a name as a load gets it: without spaces around it, NULL if nothing is left."""
    return func.control.given(name)


def _name(pattern: str) -> ColumnElement[bool]:
    """Match the table's name at its target or its source, alone or dotted."""
    catalog, schema, table = map(
        _given, (_COLUMNS.source_table_catalog, _COLUMNS.source_table_schema, _COLUMNS.source_table_name)
    )
    names = [*_dotted(*target_names()), *_dotted(catalog, schema, table)]
    return or_(*(_like(name, pattern) for name in names))


def _dotted(catalog: _Name, schema: _Name, table: _Name) -> list[_Name]:
    """Return the name alone, with its schema, and with its catalog too; NULL where a part is missing."""
    with_schema = schema + literal(".") + table
    return [table, with_schema, catalog + literal(".") + with_schema]


def _like(value: ColumnElement[str | None], pattern: str) -> ColumnElement[bool]:
    # NULL is like nothing, and a condition that is NULL would spoil an OR.
    # Both sides folded by the database: Python's lower case is another for a few letters.
    return func.coalesce(func.lower(value).like(func.lower(like(pattern)), escape="\\"), False)
