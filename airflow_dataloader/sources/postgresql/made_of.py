"""What a relation is made of by the source's plan, also below views, queries, partitions and children."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_dataloader.sources.dialect import Ask, MadeOf

_FOREIGN = "SELECT EXISTS (SELECT FROM pg_foreign_table)"

#: Steps whose rows or values depend on the order in which a connection happens to read: numbers of rows that
#: are alike, the first so many, one of those that are alike in some columns, and samples.
_BY_CHANCE = frozenset({"WindowAgg", "Limit", "Unique", "Sample Scan"})


def is_elsewhere(ask: Ask, relation: str) -> bool:
    """Return whether rows come from foreign tables; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Each connection sees a state of its own of what they show, whatever snapshot it names. What a function
    fetches from another server is not seen.
    """
    if not ask(_FOREIGN)[0][0]:
        return False
    return any(step["Node Type"] == "Foreign Scan" for step in _steps(ask, relation))


def made_of(ask: Ask, relation: str) -> MadeOf:
    """Return what the relation is made of by now; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    A plan names tables by the newest list of a table's partitions or children, whatever snapshot asks.
    """
    steps = list(_steps(ask, relation))
    tables = {(step.get("Schema", ""), step["Relation Name"]) for step in steps if "Relation Name" in step}
    return MadeOf(tables=frozenset(tables), by_chance=any(step["Node Type"] in _BY_CHANCE for step in steps))


def _steps(ask: Ask, relation: str) -> Iterator[dict[str, Any]]:
    ((plans,),) = ask(f"EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM {relation}")
    waiting = [plan["Plan"] for plan in plans]
    while waiting:
        step = waiting.pop()
        yield step
        waiting += step.get("Plans", ())
