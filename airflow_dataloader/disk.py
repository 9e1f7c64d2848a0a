"""Turns a full or unwritable disk into a one-line error with a fix."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.settings import Settings

_FULL = (errno.ENOSPC, errno.EDQUOT)


def disk_error(error: Exception, environ: Mapping[str, str]) -> DataloaderError | None:
    """Return the error of a full disk, or a ``DATALOADER_HOME`` that cannot be used; None for others."""
    if not isinstance(error, OSError):
        return None
    path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes, os.PathLike)) else None
    said = f"{path or 'The disk'} cannot be used: {error.strerror or type(error).__name__}."
    if error.errno in _FULL:
        return _of_home(said, "free space there, or set DATALOADER_HOME to a folder on another disk")
    if path is not None and _concerns_home(Path(path), environ):
        return _of_home(said, "set DATALOADER_HOME to a folder that you may write to")
    return None


def _concerns_home(path: Path, environ: Mapping[str, str]) -> bool:
    try:
        home = Settings.from_environment(environ).home
    except ConfigurationError:
        # Something else is wrong, too; it is not to hide what was to be told here.
        return False
    return path.is_relative_to(home) or home.is_relative_to(path)


def _of_home(said: str, fix: str) -> ConfigurationError:
    return ConfigurationError(said, field="DATALOADER_HOME", fix=fix)
