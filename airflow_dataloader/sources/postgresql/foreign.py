"""Foreign tables: each connection sees a state of its own of what they show, whatever snapshot it names."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.sources.dialect import Ask

_ANY = "SELECT EXISTS (SELECT FROM pg_foreign_table)"


def is_elsewhere(ask: Ask, relation: str) -> bool:
    """Return whether rows come from foreign tables; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    The plan names them, also below views, queries, partitions and children. What a function fetches from
    another server is not seen.
    """
    if not ask(_ANY)[0][0]:
        return False
    ((plans,),) = ask(f"EXPLAIN (FORMAT JSON) SELECT * FROM {relation}")
    return any(_scans_foreign(plan["Plan"]) for plan in plans)


def _scans_foreign(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Foreign Scan" or any(map(_scans_foreign, node.get("Plans", ())))
