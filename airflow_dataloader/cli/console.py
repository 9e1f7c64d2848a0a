"""What a command shows: the same words at a terminal, in a pipe and in a log file."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.texts import shown_text
from airflow_dataloader.loader.observer import Moment

#: Columns where nobody says how wide the paper is: tables are only as wide as what they hold.
_WIDE = 240


def new_console() -> Console:
    """Return a console for stdout that does not squeeze its tables into 80 columns of a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def new_table(title: str, left: tuple[str, ...], right: tuple[str, ...] = ()) -> Table:
    """Return an empty table with its left-aligned columns first; cells are never cut."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    for heading in left:
        table.add_column(heading, overflow="fold")
    for heading in right:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def plain(text: str) -> Text:
    """Return a text that is shown as it is: brackets are no markup, and nothing is an order to a terminal."""
    return Text(shown_text(text))


class Progress:
    """Says what goes on: a line that changes at a terminal, one line a step elsewhere.

    Also an observer of loads. Texts are shown by :func:`plain`.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._status = Status("", console=console)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self.console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._status.stop()

    def step(self, text: str) -> None:
        """Say what begins now."""
        if self.console.is_terminal:
            self._status.update(plain(text))
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Say what stays to be read."""
        self.console.print(plain(text), soft_wrap=True)

    def now(self, text: str) -> None:
        """Say how far it is, at a terminal only: a file is told of ends."""
        if self.console.is_terminal:
            self._status.update(plain(text))

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        """Show how far a load is, at a terminal only: a file is told of its end."""
        self.now(f"{config.label}: {moment}")
