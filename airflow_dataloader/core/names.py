"""Names of targets and of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Delta refuses these in column names unless the table maps columns; the documents turn spaces into ``_``.
_FORBIDDEN = re.compile(r"[ ,;{}()\n\t=\x00-\x1f]")

#: What Delta calls columns of its own in a MERGE, in lower case.
_OF_MERGE = frozenset(
    {
        "_metadata",
        "_row_id_",
        "_file_name_",
        "_source_row_present_",
        "_target_row_present_",
        "_row_dropped_",
    }
)
#: And the conditions of its clauses, by number; the INSERT of a load has none.
_CONDITION_OF_MERGE = re.compile(r"_(?:update|delete)_condition_\d+_")
#: And of a MERGE that writes deletion vectors; without them it calls none so.
_OF_DELETION_VECTORS = frozenset({"filepath", "rowindexcol", "deletionvectorid", "dvfilepath"})
#: What Delta calls columns of its own whenever it reads a table: nobody can read one that has such a column.
_OF_READS = frozenset({"_tmp_metadata_row_index", "__delta_internal_is_row_deleted"})


@dataclass(frozen=True, kw_only=True)
class TargetName:
    """A Delta table's three-level name. Unity Catalog compares names without case."""

    catalog: str
    schema: str
    table: str

    def __str__(self) -> str:
        """Return the dotted name, for messages only; an engine quotes by itself."""
        return f"{self.catalog}.{self.schema}.{self.table}"


def quoted(identifier: str) -> str:
    """Return the identifier as the SQL of targets, Spark's, quotes it: any text is a valid name."""
    return "`" + identifier.replace("`", "``") + "`"


def column_name(source_name: str) -> str:
    """Return the target's name of a source column: what Delta forbids becomes an underscore."""
    return _FORBIDDEN.sub("_", source_name)


def is_name_of_merge(name: str) -> bool:
    """Return whether Delta gives a column of its own that name in a MERGE, and would confuse the two."""
    folded = name.casefold()
    return folded in _OF_MERGE or _CONDITION_OF_MERGE.fullmatch(folded) is not None


def is_name_of_deletion_vectors(name: str) -> bool:
    """Return whether Delta gives a column of its own that name in a MERGE that writes deletion vectors."""
    return name.casefold() in _OF_DELETION_VECTORS


def is_name_of_reads(name: str) -> bool:
    """Return whether Delta gives a column of its own that name where a table is read."""
    return name.casefold() in _OF_READS


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return ``wanted``, with as many underscores behind it as make it the name of nothing that is taken."""
    names = {name.casefold() for name in taken}
    while wanted.casefold() in names:
        wanted += "_"
    return wanted


def collisions(source_names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of source columns that would share one target column (compared without case)."""
    seen: dict[str, str] = {}
    pairs = []
    for name in source_names:
        target = column_name(name).casefold()
        if target in seen:
            pairs.append((seen[target], name))
        else:
            seen[target] = name
    return pairs
