"""Where a three-level name is: a folder of the local warehouse, or a table of the catalogue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from airflow_dataloader.core.names import TargetName, quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrameWriter

#: File systems refuse names over 255 bytes; Delta and checksum files below add nothing to the folder's own.
_MOST_BYTES = 200
_DIGEST_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Location:
    """A table as SQL refers to it, and its folder where it has one of ours."""

    sql: str
    folder: Path | None

    def save(self, writer: DataFrameWriter) -> None:
        """Execute a write to this table; the two kinds of names take different verbs."""
        if self.folder is None:
            writer.saveAsTable(self.sql)
        else:
            writer.save(str(self.folder))


class Names(Protocol):
    """The one place that knows where tables are."""

    def locate(self, name: TargetName) -> Location:
        """Return where the table is, or will be."""


class WarehouseNames:
    """``<root>/<catalog>/<schema>/<table>``: paths need no metastore and survive every restart."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def locate(self, name: TargetName) -> Location:
        """Return the table's folder; names are compared without case, as Unity Catalog does."""
        folder = self._root.joinpath(
            *(path_component(part) for part in (name.catalog, name.schema, name.table))
        )
        return Location(sql=f"delta.{quoted(str(folder))}", folder=folder)


class CatalogNames:
    """Names of Unity Catalog, quoted."""

    def locate(self, name: TargetName) -> Location:
        """Return the quoted three-level name."""
        parts = (name.catalog, name.schema, name.table)
        return Location(sql=".".join(quoted(part) for part in parts), folder=None)


def make_warehouse(home: Path) -> Path:
    """Return the local warehouse below ``DATALOADER_HOME``, made for its owner alone where it is not there.

    It holds what sources do. One that is there stays as it is: others may be meant to read it.
    """
    folder = home / "warehouse"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def path_component(part: str) -> str:
    """Return the folder's name: lower case, unsafe characters percent-encoded, long ones with a digest."""
    lowered = part.lower()
    encoded = quote(lowered, safe="_-").replace(".", "%2E").replace("~", "%7E")
    if len(encoded) <= _MOST_BYTES:
        return encoded or "%"
    digest = hashlib.sha256(lowered.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{encoded[: _MOST_BYTES - _DIGEST_DIGITS - 1]}-{digest}"
