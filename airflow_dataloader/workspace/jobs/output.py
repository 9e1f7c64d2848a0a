"""What a task said: its logs as ``runs/get-output`` gives them, and the error among them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: Bytes of logs that an answer holds, as on Databricks.
MOST_BYTES = 5 * 1024 * 1024

_TRACEBACK = "Traceback (most recent call last):"
#: The error itself, at the end of a traceback: the first line after its frames.
_ERROR = re.compile(r"^(?=[^\s])(?!Traceback \()", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Both streams of a task, their ends if they are long."""

    stdout: str
    stderr: str
    truncated: bool

    @property
    def logs(self) -> str:
        """What was written to stdout, and then what was written to stderr."""
        return "\n".join(text.rstrip("\n") for text in (self.stdout, self.stderr) if text.strip())

    @property
    def error_trace(self) -> str:
        """The last traceback, or nothing."""
        _, found, rest = self.stderr.rpartition(_TRACEBACK)
        return f"{_TRACEBACK}{rest}".strip() if found else ""

    def error(self, message: str) -> str:
        """Return what went wrong in a line or two: an exception's text, or the last thing said."""
        trace = self.error_trace
        if trace:
            frames = trace.split("\n", 1)[1]
            begin = _ERROR.search(frames)
            return frames[begin.start() :].strip() if begin else message
        errors = [line for line in self.stderr.splitlines() if line.startswith("Error: ")]
        said = [line for line in self.stdout.splitlines() if line.strip()]
        return next(iter([*errors[-1:], *said[-1:]]), message)


def read_output(folder: Path, most: int = MOST_BYTES) -> Output:
    """Return what the task of this folder has said so far."""
    (out, out_cut), (err, err_cut) = (
        _tail(folder / f"{name}.log", most // 2) for name in ("stdout", "stderr")
    )
    return Output(stdout=out, stderr=err, truncated=out_cut or err_cut)


def _tail(path: Path, most: int) -> tuple[str, bool]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            said = file.read()
            if size > most:
                # Whole lines: of half a secret, nobody knows that it is one.
                said = said.partition(b"\n")[2]
            return said.decode(errors="replace"), size > most
    except FileNotFoundError:
        return "", False
