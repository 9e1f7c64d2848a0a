"""What a strategy hands back to be settled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Changes to the row that follow from a load that published."""

    #: New ``incremental_value`` as the source's own text; None leaves it.
    watermark: str | None = None
    #: The load replaced the table as ``load_full`` asked, so the flag is done with.
    load_full_done: bool = False
    #: An earlier attempt had committed all that this load is about, so that it published nothing itself.
    committed_before: bool = False
    #: It read from the beginning and found no row to publish: the row's old watermark says nothing of the
    #: target as it is.
    watermark_void: bool = False
    #: Strategy from now on, where a load ends its own.
    next_strategy: str | None = None
