"""The Spark server of a workspace that was killed: it must have ended before its runs count as ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil

from airflow_dataloader.private_file import write_private
from airflow_dataloader.workspace.process_start import start_mark

_WORD = "SparkConnectServer"
#: It is being ended by its own watcher, politely at first.
_WAIT_SECONDS = 15.0


def note_server(path: Path, pid: int) -> None:
    """Write down which process is our server."""
    write_private(path, json.dumps({"pid": pid, "born": start_mark(pid)}))


def end_orphaned_server(path: Path) -> None:
    """Return when the server that was written down last has ended, ended by force if need be."""
    try:
        noted = json.loads(path.read_text())
        process = psutil.Process(noted["pid"])
        ours = start_mark(process.pid) == noted["born"] and any(_WORD in word for word in process.cmdline())
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return
    if not ours:
        return
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_WAIT_SECONDS)
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_WAIT_SECONDS)
