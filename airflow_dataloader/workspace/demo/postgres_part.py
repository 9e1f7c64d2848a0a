"""The embedded PostgreSQL as a part of the demo."""

from __future__ import annotations

from pathlib import Path

from airflow_dataloader.workspace.postgres import EmbeddedPostgres


class PostgresPart:
    """Everybody else needs it to end in an orderly way, so it does not begin to end before them."""

    name = "PostgreSQL server"

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server

    @property
    def log_file(self) -> Path:
        """What the server had to say."""
        return self._server.log_file

    @property
    def running(self) -> bool:
        """Whether the server lives."""
        return self._server.running

    def start(self) -> None:
        """Start it, on the port that it had."""
        self._server.start()

    def ask_to_stop(self) -> None:
        """Wait for the others."""

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()
