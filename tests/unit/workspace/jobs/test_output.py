"""What a task said."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dataloader.workspace.jobs.output import Output, read_output

TRACE = """\
Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise ValueError("boom")
"""


def write(folder: Path, out: str = "", err: str = "") -> Output:
    (folder / "stdout.log").write_text(out)
    (folder / "stderr.log").write_text(err)
    return read_output(folder)


def test_a_task_that_has_not_begun_has_said_nothing(tmp_path: Path) -> None:
    output = read_output(tmp_path / "gone")
    assert (output.logs, output.error_trace, output.error("nothing"), output.truncated) == (
        "",
        "",
        "nothing",
        False,
    )


def test_logs_are_both_streams(tmp_path: Path) -> None:
    assert write(tmp_path, "a\n", "b\n").logs == "a\nb"
    assert write(tmp_path, "", "b\n").logs == "b"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("ValueError: boom", "ValueError: boom"),
        ("ValueError: boom\nof two lines", "ValueError: boom\nof two lines"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_the_error_is_that_of_the_last_traceback(tmp_path: Path, error: str, expected: str) -> None:
    output = write(tmp_path, "x", f"{TRACE}OSError: early\n\nDuring handling …\n\n{TRACE}{error}\n")
    assert output.error("failed") == expected
    assert output.error_trace == f"{TRACE}{error}"


def test_without_a_traceback_it_is_what_the_loader_says_of_itself(tmp_path: Path) -> None:
    assert write(tmp_path, "load 5: Failed.\n", "INFO x\nError: no URL. Fix: set it.\nTerminated\n").error(
        "failed"
    ) == ("Error: no URL. Fix: set it.")
    assert write(tmp_path, "load 4: Succeeded.\nload 5: Failed. No table.\n\n").error("failed") == (
        "load 5: Failed. No table."
    )


def test_long_logs_are_cut_at_their_beginning(tmp_path: Path) -> None:
    (tmp_path / "stdout.log").write_bytes(b"begin\nmiddle\n" + "ä".encode() * 4 + b"\nend")
    output = read_output(tmp_path, most=36)
    assert output.truncated
    assert output.logs == "ääää\nend"


def test_no_line_is_cut_in_two(tmp_path: Path) -> None:
    """Half a secret would not be known for one."""
    (tmp_path / "stdout.log").write_bytes(b"password=secret")
    output = read_output(tmp_path, most=20)
    assert (output.logs, output.truncated) == ("", True)
