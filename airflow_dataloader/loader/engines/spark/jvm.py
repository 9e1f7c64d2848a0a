"""Ending the Java process that Spark in this process has started."""

from __future__ import annotations

import subprocess

#: Seconds that it gets to end by itself.
_PATIENCE = 10.0


def end_jvm() -> None:
    """End it and wait until it is gone; nothing happens where none was started.

    Left alone it ends too, but a moment after us: whoever looks then finds a process that we left behind.
    """
    from pyspark import SparkContext

    gateway, SparkContext._gateway, SparkContext._jvm = SparkContext._gateway, None, None
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    if gateway is None or process is None:
        return
    gateway.shutdown()
    if process.stdin is not None:
        # It lives for as long as this pipe is open.
        process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
