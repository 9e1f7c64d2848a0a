"""A folder that only one process uses at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError


@contextmanager
def locked(folder: Path, *, taken: str, fix: str) -> Iterator[int]:
    """Hold a folder that exists; yield the lock's file descriptor.

    The lock goes when every process that holds the descriptor, or has inherited it, has closed it or ended.
    Raises ConfigurationError with ``taken`` and ``fix`` if another process has the folder.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError(taken, field="DATALOADER_HOME", fix=fix) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
