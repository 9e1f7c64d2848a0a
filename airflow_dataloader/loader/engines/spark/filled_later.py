"""Refuses to add whole rows that a target holds already, but without a value that they were given later.

Above all by a column that the source adds with a default: rows that the target holds from before have NULL in
it, no staged row is equal to them any more, and every one of them would be added a second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_dataloader.core.names import quoted
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.protocol import Stage
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.dedup import all_rows
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.sql import select
from airflow_dataloader.loader.engines.spark.types import Fit, identity


@dataclass(frozen=True, kw_only=True)
class WholeRows:
    """Staged rows and those of the target that they are compared with, as wholes."""

    target: Location
    source: Location
    stage: Stage
    fitted: Fit
    #: Condition that every row of the target satisfies which may be one of the stage's.
    narrowed: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the stage's columns: rows that are equal in all of them are one."""
        return tuple(column.name for column in self.stage.columns)

    @property
    def comparable(self) -> bool:
        """Whether the target has one of the stage's columns at all."""
        return not self.fitted.added.issuperset(self.columns)

    def items(self) -> str:
        """Return the query of all staged rows, in the types that the target has."""
        return all_rows(self.source, self.stage, self.fitted)

    def staged(self, name: str, qualifier: str = "") -> str:
        """Return a staged column in the form in which it is compared, so that equal values are identical."""
        return identity(f"{qualifier}{quoted(name)}", self.fitted.types[name])

    def held(self, columns: Iterable[str]) -> str:
        """Return the query of the target's groups of equal rows: ``c0``, ``c1``, … and their number ``n``."""
        forms = {f"c{index}": self._held(name) for index, name in enumerate(columns)}
        return _grouped(forms, select(_named(forms), self.target.sql, self.narrowed))

    def missing(self, columns: tuple[str, ...]) -> str:
        """Return the query of how many staged rows the target lacks, compared over ``columns`` alone."""
        forms = {f"c{index}": self.staged(name) for index, name in enumerate(columns)}
        staged = _grouped(forms, select(_named(forms), self.items()))
        on = " AND ".join(f"s.{name} <=> h.{name}" for name in forms) or "TRUE"
        joined = f"({staged}) s LEFT JOIN ({self.held(columns)}) h ON {on}"
        return select("COALESCE(SUM(GREATEST(s.n - COALESCE(h.n, 0), 0)), 0)", joined)

    def _held(self, name: str) -> str:
        kind = self.fitted.types[name]
        # A row of the target has no value in a column that only comes.
        value = f"CAST(NULL AS {kind})" if name in self.fitted.added else self.fitted.held(name)
        return identity(value, kind)


def refuse_doubles(context: Context, rows: WholeRows, staged: int) -> None:
    """Raise SchemaRefused if rows of the target are staged rows but for values that they lack.

    ``staged``: the number of staged rows. A row that is equal to a held one but for such a value, and stands
    beside it at the source, is a new one.
    """
    there = [name for name in rows.columns if name not in rows.fitted.added]
    asked = ["COUNT(1)", *(f"BOOL_OR({quoted(name)} IS NULL)" for name in there)]
    ((held, *lacking),) = context.ask(select(", ".join(asked), rows.target.sql, rows.narrowed))
    empty = {name for name, lacks in zip(there, lacking, strict=True) if lacks}
    candidates = [name for name in rows.columns if name in rows.fitted.added or name in empty]
    if not held or not candidates:
        return
    missing = _missing(context, rows, without=())
    # Each row of the target is one of the stage's as it is, and has no other to stand for.
    if missing == staged - held or _missing(context, rows, without=candidates) == missing:
        return
    found = (name for name in candidates if _missing(context, rows, without=[name]) < missing)
    named = next(found, ", ".join(candidates))
    raise SchemaRefused(
        f"Rows that the target holds without a value in column {named} have one at the source by now, as "
        "after a new column with a default. They would be added again, since whole rows are compared.",
        field="primary_key_cols",
        fix="set load_full = 'true' on the row to replace the table once; with a key in primary_key_cols, "
        "rows are told apart whatever their other columns become",
    )


def _missing(context: Context, rows: WholeRows, *, without: Iterable[str]) -> int:
    left_out = frozenset(without)
    compared = tuple(name for name in rows.columns if name not in left_out)
    ((found,),) = context.ask(rows.missing(compared))
    return int(found)


def _named(forms: dict[str, str]) -> str:
    return ", ".join(f"{form} AS {name}" for name, form in forms.items()) or "1"


def _grouped(forms: dict[str, str], rows: str) -> str:
    names = "".join(f"{name}, " for name in forms)
    return select(f"{names}COUNT(1) AS n", rows) + (f" GROUP BY {', '.join(forms)}" if forms else "")
