"""What engine tests do over and over: plan a read of given rows, name a target, look at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from psycopg import sql

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import Endpoint, PlannedColumn, ReadPlan, Wire
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.engines.spark.engine import SparkEngine

APP = "adl:0123456789abcdef:7"

#: Delta type to the source's type, for those that travel as they are.
_NATIVE = {
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "float": "real",
    "boolean": "boolean",
    "string": "text",
    "binary": "bytea",
}


def column(name: str, kind: str) -> PlannedColumn:
    """Plan a column of the relation ``v``, as a dialect would."""
    quoted = 'v."' + name.replace('"', '""') + '"'
    wire, select = Wire.NATIVE, f"{quoted}::{_NATIVE.get(kind, kind.replace('decimal', 'numeric'))}"
    if kind == "date":
        wire, select = Wire.EPOCH_DAYS, f"({quoted}::date - date '1970-01-01')"
    elif kind == "timestamp":
        wire, select = Wire.EPOCH_MICROS, f"(extract(epoch FROM {quoted}::timestamptz) * 1000000)::bigint"
    elif kind == "timestamp_ntz":
        wire, select = Wire.WALL_MICROS, f"(extract(epoch FROM {quoted}::timestamp) * 1000000)::bigint"
    return PlannedColumn(source_name=name, name=name, select=select, wire=wire, type=kind, source_type=kind)


@dataclass
class Workshop:
    """An engine, a source, and a schema of the warehouse that is this test's own."""

    engine: SparkEngine
    #: Opens another engine of the same mode; it is closed after the test.
    another: Callable[[], SparkEngine]
    endpoint: Endpoint
    home: Path
    schema: str = field(default_factory=lambda: f"s_{uuid4().hex[:12]}")

    def table(self, name: str = "t") -> TargetName:
        """Name a table of this test's schema."""
        return TargetName(catalog="main", schema=self.schema, table=name)

    @property
    def stage_name(self) -> TargetName:
        """Name a stage that nobody has used."""
        return self.table(f"_adl_stage_{uuid4().hex[:8]}")

    def plan(
        self, columns: Mapping[str, str], rows: Iterable[Sequence[Any]] = (), **changes: Any
    ) -> ReadPlan:
        """Plan a read of exactly ``rows``; ``changes`` replace fields of the plan."""
        planned = tuple(column(name, kind) for name, kind in columns.items())
        base = ReadPlan(
            endpoint=self.endpoint, columns=planned, relation=_relation(list(columns), list(rows))
        )
        return replace(base, **changes)

    def query(self, columns: Mapping[str, str], text: str, **changes: Any) -> ReadPlan:
        """Plan a read of a query at the source."""
        planned = tuple(column(name, kind) for name, kind in columns.items())
        return replace(
            ReadPlan(endpoint=self.endpoint, columns=planned, relation=f"({text}) AS v"), **changes
        )

    def stage(self, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], dedup: Deduplication) -> Stage:
        """Stage rows."""
        return self.engine.stage(self.engine.read(self.plan(columns, rows)), self.stage_name, dedup)

    def fill(
        self, target: TargetName, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], epoch: int = 1
    ) -> None:
        """Make the target hold exactly ``rows``."""
        self.engine.overwrite(target, self.engine.read(self.plan(columns, rows)), commit(epoch))

    def rows(self, target: TargetName, columns: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        """Return the target's rows in an order of their own."""
        return sorted(self.engine.rows(target, columns), key=repr)

    def version(self, target: TargetName) -> int:
        """Return the target's newest version."""
        found = self.engine.inspect(target, APP)
        assert found is not None
        return found.version

    def sql(self, text: str, **tables: TargetName) -> list[Any]:
        """Run Spark SQL as a person would; ``{name}`` stands for a table."""
        names = {key: self.engine._context.names.locate(name).sql for key, name in tables.items()}
        return self.engine._context.spark.sql(text.format(**names)).collect()

    def folder(self, target: TargetName) -> Path:
        """Return the target's folder."""
        folder = self.engine._context.names.locate(target).folder
        assert folder is not None
        return folder


def commit(epoch: int, step: int = 1, **facts: Any) -> Commit:
    """Return the identity of a write of the one writer that tests are."""
    return Commit(app_id=APP, epoch=epoch, step=step, metadata_id=1000 + epoch, facts=Facts(**facts))


class Attempt:
    """A call in another thread, and how it ended."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self.result = call()
        except BaseException as error:  # noqa: BLE001  the test looks at whatever it is
            self.error = error

    @property
    def ended(self) -> bool:
        """Whether the call has returned or raised."""
        return not self._thread.is_alive()

    def join(self) -> Attempt:
        """Wait for the end."""
        self._thread.join()
        return self


def _relation(names: list[str], rows: list[Sequence[Any]]) -> str:
    identifiers = sql.SQL(", ").join(sql.Identifier(name) for name in names)
    if not rows:
        nothing = sql.SQL(", ").join(sql.SQL("NULL") for _ in names)
        template = sql.SQL("(SELECT * FROM (VALUES ({})) AS n({}) WHERE false) AS v")
        return template.format(nothing, identifiers).as_string()
    lines = [sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(value) for value in row)) for row in rows]
    template = sql.SQL("(VALUES {}) AS v({})")
    return template.format(sql.SQL(", ").join(lines), identifiers).as_string()
