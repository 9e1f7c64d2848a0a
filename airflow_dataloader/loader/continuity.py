"""Whether a target still is what the row's loads have made of it."""

from __future__ import annotations

from airflow_dataloader.loader.engines.protocol import Target


def why_discontinuous(target: Target, published_epoch: int | None) -> str | None:
    """Return what has come between, as the beginning of a sentence; None: nothing has.

    ``published_epoch`` is that of the row's last load on record that published to this target.
    """
    newest = target.newest_published
    if newest is None or not target.continuous:
        return (
            "The target was made anew, restored, replaced or loaded under another name since the last load;"
        )
    if newest.commit.epoch < (published_epoch or 0):
        # Its files came back from a backup, its history with them.
        return "The target is older than the last load on record;"
    return None
