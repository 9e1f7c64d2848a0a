"""What the demo has to say when it has loaded: a table a round, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from rich.style import Style
from rich.table import Table
from rich.text import Text

from airflow_dataloader.cli.console import Progress, new_table
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.workspace.demo import shop
from airflow_dataloader.workspace.demo.airflow_home import USER
from airflow_dataloader.workspace.demo.psql import psql
from airflow_dataloader.workspace.demo.script import Line, Round
from airflow_dataloader.workspace.demo.stack import DAG, DemoStack

_DUE = "UPDATE control.table_control SET next_load_date_time = now()"
_NUMBERS = ("rows read", "inserted", "updated", "seconds", "version", "equal")


def table_of(shown: Round, airflow: str) -> Table:
    """Return one round as a table, one line a target; its Airflow runs lead to the page at ``airflow``."""
    table = new_table(shown.title, ("target", "strategy"), _NUMBERS)
    table.add_column("Airflow run", overflow="fold")
    for line in shown.lines:
        table.add_row(*_cells(line), _run(line.load.airflow_run, airflow))
    return table


def verdict(rounds: Sequence[Round]) -> tuple[ExitCode, str]:
    """Return the demo's exit code and its one sentence; what was not compared proves nothing."""
    if not rounds or not all(one.lines for one in rounds):
        return ExitCode.FAILED, "Not everything was compared"
    if not all(one.equal for one in rounds):
        return ExitCode.FAILED, "At least one target differs from its source"
    return ExitCode.DONE, "Every target equals its source"


def page_of(stand: DemoStack) -> str:
    """Return where Airflow's page is, and how to get in."""
    return f"{stand.airflow.address}/dags/{DAG}   user {USER}, password {stand.airflow.password}"


def say_where(progress: Progress, stand: DemoStack) -> None:
    """Say where to look, and how to go on."""
    control = psql(stand.server, shop.CONTROL, stand.home.password_file)
    for what, where in (
        ("Airflow", page_of(stand)),
        ("Control database", control),
        ("Shop", psql(stand.server, shop.SHOP, stand.home.password_file)),
        ("Workspace", f"{stand.workspace.client.url}   token in {stand.home.folder / 'workspace' / 'token'}"),
        ("Delta tables", str(stand.home.warehouse / shop.CATALOG)),
        ("Logs", str(stand.home.logs)),
    ):
        progress.line(f"{what:<17} {where}")
    progress.line("Change rows in the shop, and have all tables loaded within a minute by")
    progress.line(f"  {control} -c '{_DUE}'")


def _cells(line: Line) -> tuple[Text, ...]:
    load = line.load
    texts = (
        load.target,
        str(load.config.strategy),
        _number(load.rows_read),
        _number(load.rows_inserted),
        _number(load.rows_updated),
        f"{load.seconds:.1f}",
        _number(load.target_version),
    )
    equal = Text("yes", style="green") if line.equal else Text("NO", style="red")
    return (*map(Text, texts), equal)


def _run(name: str, airflow: str) -> Text:
    """Return a run's name, which leads to its page where a terminal can do that."""
    page = f"{airflow}/dags/{DAG}/runs/{quote(name.partition('#')[0], safe='')}"
    return Text(name, style=Style(link=page))


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
