"""How a task ends, and what its parameters may be."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.tasks.process import row_id, run


def test_its_code_says_whether_all_went_well() -> None:
    said: list[Sequence[str]] = []
    assert run(lambda words: not said.append(words), ["a"]) == 0
    assert run(lambda _: False, []) == 1
    assert said == [["a"]]


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: Sequence[str]) -> bool:
        raise ConfigurationError("It cannot be.", fix="do it otherwise")

    assert run(refuse, []) == 1
    assert capsys.readouterr().err == "Error: It cannot be. Fix: do it otherwise.\n"


def test_a_full_disk_is_one_line_and_a_bug_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def fill(_: Sequence[str]) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/disk")

    assert run(fill, []) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: /full/disk cannot be used: No space left on device. Fix: free space there")
    with pytest.raises(ZeroDivisionError):
        run(lambda _: bool(1 / 0), [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_no_traceback(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)

    def wait(_: Sequence[str]) -> bool:
        os.kill(os.getpid(), number)
        signal.pause()
        return True

    assert run(wait, []) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    assert signal.getsignal(number) is before


def test_an_id_is_read() -> None:
    assert row_id("12") == 12


@pytest.mark.parametrize("text", ["", "12:3", "-1", "a", "1;DROP TABLE x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name a row") as caught:
        row_id(text)
    assert caught.value.field == "parameters"
