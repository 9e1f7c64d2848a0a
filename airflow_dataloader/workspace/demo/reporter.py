"""Whom the demo tells what goes on."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """May be told from several threads."""

    def step(self, text: str) -> None:
        """Say what begins now."""

    def line(self, text: str) -> None:
        """Say what stays to be read."""

    def now(self, text: str) -> None:
        """Say how far it is, to whoever looks just now."""
