"""The identity of one write to a target, and what travels with it in the table's own history.

A target remembers, for each writer (``app_id``), the highest version it has taken, and skips what is not
higher. Versions grow with the row's epoch, so a stale loader's writes are skipped for good.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.load_columns import Stamp

#: Writes that one epoch has room for; a chunked backfill uses one a chunk.
STEPS_PER_EPOCH = 1 << 20

#: Highest epoch that a row may be given by hand. Versions are signed integers of 64 bits; the other half of
#: their room is for the claims that follow.
HIGHEST_GIVEN_EPOCH = 1 << 42

#: An epoch's first write, where it has to fence the target before it publishes.
FENCE_STEP = 0
#: Closes the epoch of another row that had the same target: whatever that one still writes comes too late.
CLOSING_STEP = STEPS_PER_EPOCH - 1

#: Takes rows away that the source does not have any more, after whatever else the load has published.
SCAN_STEP = STEPS_PER_EPOCH - 2

#: Marks our entries among the user metadata of a table's history; the value is the format's version.
MARK = "adl"
FORMAT = 1


def loader_mark(nonce: str) -> str:
    """Return the first 8 hexadecimal digits of the SHA-256 of a loader's nonce, which tell it from others.

    ``control/stages.py`` computes the same of a nonce on record.
    """
    return hashlib.sha256(nonce.encode()).hexdigest()[:8]


def app_id(installation: str, config_id: int) -> str:
    """Return the writer's name at the target: one for each control row of each installation."""
    return f"adl:{installation}:{config_id}"


def txn_version(epoch: int, step: int) -> int:
    """Return the version of write number ``step`` in ``epoch``."""
    if not 0 <= step < STEPS_PER_EPOCH:
        raise ValueError(f"step {step} is outside 0..{STEPS_PER_EPOCH - 1}")
    return epoch * STEPS_PER_EPOCH + step


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One write: who makes it, in which epoch and step, and the facts that a repair needs later."""

    app_id: str
    epoch: int
    step: int
    #: ``historical_metadata.id`` of the load that writes.
    metadata_id: int
    #: Window, configuration hash, counts: whatever lets another process settle this load.
    facts: Facts = field(default_factory=Facts)
    #: Values of the load columns in every row that is written; they travel with the rows alone.
    stamp: Stamp = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The transaction version at the target."""
        return txn_version(self.epoch, self.step)

    @property
    def config_id(self) -> int:
        """The control row that the writer is."""
        return int(self.app_id.rpartition(":")[2])

    @property
    def identity(self) -> tuple[int, int, str | None]:
        """What only one write has: its version, its load, and its loader."""
        return self.version, self.metadata_id, self.facts.loader

    @property
    def publishes(self) -> bool:
        """Whether it changes rows; a fence commits nothing but its version."""
        return self.step not in {FENCE_STEP, CLOSING_STEP}

    @property
    def brings_rows(self) -> bool:
        """Whether it publishes what was read; a scan for deleted rows says nothing of how far that was."""
        return self.publishes and not self.facts.delete_scan

    def user_metadata(self) -> str:
        """Return the JSON text stored with the commit; :func:`parse_user_metadata` reads it back."""
        body = {
            MARK: FORMAT,
            "app_id": self.app_id,
            "epoch": self.epoch,
            "step": self.step,
            "load": self.metadata_id,
            "facts": self.facts.to_json(),
        }
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        # A MERGE takes the text from a setting, in which Spark would put a variable's value for ${env:NAME}.
        return text.replace("$", "\\u0024")


def parse_user_metadata(text: str | None) -> Commit | None:
    """Return the commit that ``text`` describes, or None if it is not one of ours."""
    if not text or f'"{MARK}"' not in text:
        return None
    try:
        body = json.loads(text)
        if body.get(MARK) != FORMAT:
            return None
        return Commit(
            app_id=str(body["app_id"]),
            epoch=int(body["epoch"]),
            step=int(body["step"]),
            metadata_id=int(body["load"]),
            facts=Facts.from_json(dict(body["facts"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
