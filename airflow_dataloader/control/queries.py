"""The control database's questions as files, ``sql/queries/<name>.sql``, for people and monitors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import TextClause, text

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.resources import sql_folder


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question. Parameters in ``sql`` are written ``:name``."""

    name: str
    #: The file's first line: what the question is for.
    purpose: str
    sql: str

    @property
    def statement(self) -> TextClause:
        """The statement, to be executed with its parameters."""
        return text(self.sql)


def query(name: str) -> Query:
    """Return the question called ``name``; raise ConfigurationError if there is none."""
    path = _folder() / f"{name}.sql"
    if name not in names():
        raise ConfigurationError(f"There is no query {name!r}.", fix=f"use one of {', '.join(names())}")
    header, _, sql = path.read_text(encoding="utf-8").partition("\n")
    return Query(name=name, purpose=header.removeprefix("--").strip(), sql=sql.strip().removesuffix(";"))


def names() -> tuple[str, ...]:
    """Return the names of all questions, in alphabetical order."""
    return tuple(sorted(path.stem for path in _folder().glob("*.sql")))


def _folder() -> Path:
    return sql_folder() / "queries"
