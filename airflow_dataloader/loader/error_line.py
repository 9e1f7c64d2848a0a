"""What a process says of an error, without secrets: one line, and of a bug its traceback."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Mapping

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.disk import disk_error
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.own_secrets import login_secrets

log = logging.getLogger(__name__)


def error_line(error: Exception, environ: Mapping[str, str]) -> str | None:
    """Return the line for an error of ours or of the disk's; None for any other, which is a bug."""
    told = error if isinstance(error, DataloaderError) else disk_error(error, environ)
    return None if told is None else scrub(f"Error: {told}", login_secrets(environ))


def log_bug(error: BaseException, secrets: Iterable[str]) -> None:
    """Log the traceback of an error that nobody foresaw: neither one of ours nor an interrupt."""
    if isinstance(error, Exception) and not isinstance(error, DataloaderError):
        log.error("%s", scrub("".join(traceback.format_exception(error)), secrets))
