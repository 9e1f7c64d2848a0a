"""The facts that travel with a commit in the target's own history, for whoever settles or follows it later.

Their stored names are the fields'; a window's are those of its own fields. A fact that is not given is not
stored, and names that this version does not know, a later one's, are read over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

#: Characters of what a load had to say that a commit carries; a sentence that does not fit is left out.
_MOST_NOTES = 4000


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What of the cursor a commit's load has read, as the source's own text."""

    #: Lower end before the overlap; None: from the beginning.
    low: str | None = None
    #: Upper end, included; None: no row had a cursor value.
    high: str | None = None
    #: How far the row has come by it; None: as far as before.
    watermark: str | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one commit says of itself, all of it optional."""

    #: Configuration that the load was claimed with: all that decides content, what a watermark depends on,
    #: and the strategy, as its name is stored.
    content_hash: str | None = None
    watermark_hash: str | None = None
    strategy: str | None = None
    #: Which loader made it (:func:`airflow_dataloader.core.commit.loader_mark`): a copy of the control
    #: database gives the same load's id and epoch to another one.
    loader: str | None = None
    #: Column → how the source spells its values. Only of columns that are kept as text and tell rows apart:
    #: the key's, or all of them where there is no key.
    spellings: Mapping[str, str] = field(default_factory=dict)

    #: The table or view that was read (:meth:`airflow_dataloader.sources.dialect.Dialect.relation_identity`).
    relation_identity: str | None = None

    #: Values of what was read that cannot be kept exactly became NULL, by value_policy.
    values_replaced: bool = False

    #: Of a commit that brings a window of the cursor, completes a backfill, or lowers the watermark: after it
    #: took rows away, or after a full read of a source that has gone back.
    window: Bounds | None = None
    #: The row's ``load_full`` asked for it.
    load_full: bool = False
    #: Of such a window: the source's newest cursor was below its low, and the watermark goes back to it.
    goes_back: bool = False
    #: Of a commit that has put days in place: name of the column that they are of, without case.
    day_column: str | None = None
    #: Of such a commit: until when its load saw what was committed, and what the row's zone showed then, both
    #: as the source's own text (:class:`airflow_dataloader.sources.model.Days`).
    seen_until: str | None = None
    shown_until: str | None = None
    #: Of a commit that keeps what the table held: the table's version that the load has looked at, and its
    #: digest. What somebody puts in the table's place after that is found above it, below the commit.
    read_version: tuple[int, str] | None = None

    #: It takes rows away that the source does not have any more.
    delete_scan: bool = False
    #: The row's watermark says nothing of what the target holds now: no row has a cursor any more; or, of a
    #: scan, its load had read from the beginning before, and found no row to publish.
    watermark_void: bool = False

    #: Id of the backfill, and when it was planned: a restored control database gives a lost one's id out
    #: again.
    backfill: int | None = None
    planned: str | None = None
    #: The chunk's number; None for a commit that puts all chunks in the target's place.
    chunk: int | None = None
    #: Nothing of the backfill comes after it.
    final: bool = False

    #: What the load had to say so far, in short: whoever settles it in its place says it.
    notes: tuple[str, ...] = ()

    #: Of a fence of the target: whether the table was not there, and it has made it.
    table_created: bool | None = None
    #: Load that closed the epoch of another row's load.
    closed_by: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is stored of them."""
        nothing = Facts()
        said = {name: value for name, value in vars(self).items() if value != getattr(nothing, name)}
        said.pop("window", None)
        return said if self.window is None else said | asdict(self.window)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Facts:
        """Return the facts that are stored so; raise TypeError or ValueError where they are malformed."""
        said = {one.name: stored[one.name] for one in fields(cls) if one.name in stored}
        bounds = {one.name: stored.get(one.name) for one in fields(Bounds)}
        said["window"] = Bounds(**bounds) if "watermark" in stored else None
        if "spellings" in said:
            said["spellings"] = dict(said["spellings"])
        if "notes" in said:
            said["notes"] = tuple(str(note) for note in said["notes"])
        if "read_version" in said:
            version, digest = said["read_version"]
            said["read_version"] = (int(version), str(digest))
        return cls(**said)


def notes_that_fit(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the notes that fit into a commit, in their order."""
    kept, room = [], _MOST_NOTES
    for note in notes:
        if len(note) <= room:
            kept.append(note)
            room -= len(note)
    return tuple(kept)
