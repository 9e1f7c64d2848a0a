"""The verify task: ``verify_table.py <config_id> …``. Parameters carry ids and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.tasks import process
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified, lines


def main(arguments: Sequence[str]) -> int:
    """Compare the rows named by ``arguments``; return 0 if all are equal, 130 if interrupted, else 1."""
    return process.run(_verify, arguments)


def _verify(arguments: Sequence[str]) -> bool:
    config_ids = [process.row_id(argument) for argument in arguments]
    if not config_ids:
        raise ConfigurationError("No row is named.", field="parameters", fix="pass <config_id>")
    with process.connections() as connected:
        context = LoaderContext(control=connected.control, engine=connected.engine, secrets=connected.secrets)
        verified = verify_rows(context, config_ids, report=_say)
    return all(one.equal for one in verified)


def _say(verified: Verified) -> None:
    for line in (f"{verified.label}: {verified.outcome}", *lines(verified)):
        print(line)
