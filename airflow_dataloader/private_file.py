"""Files that only their owner may read."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import IO


def open_private_log(path: Path) -> IO[bytes]:
    """Return ``path`` open to be appended to, with mode 0600 also where it was there before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with contextlib.suppress(PermissionError):
        # Of a file of ours, a file system without modes refuses it.
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def write_private(path: Path, text: str) -> None:
    """Put ``text`` into ``path`` with mode 0600; a reader sees the old text or the new one."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
