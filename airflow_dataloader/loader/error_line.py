"""What a process says of the error that it ends with: one line, without secrets."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.disk import disk_error
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.own_secrets import login_secrets


def error_line(error: Exception, environ: Mapping[str, str]) -> str | None:
    """Return the line for an error of ours or of the disk's; None for any other, which is a bug."""
    told = error if isinstance(error, DataloaderError) else disk_error(error, environ)
    return None if told is None else scrub(f"Error: {told}", login_secrets(environ))
