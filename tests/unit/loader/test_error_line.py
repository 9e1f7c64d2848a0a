"""The line that a process ends with."""

from __future__ import annotations

import errno
import os

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.error_line import error_line, log_bug

ENVIRON = {"LAKEBASE_PASSWORD": "c4nary", "DATALOADER_SECRET_DEMO_SHOP_HOST": "db.example"}


def test_an_error_of_ours_is_its_sentence_without_logins() -> None:
    error = ConfigurationError("c4nary at db.example.", fix="mend it")
    assert error_line(error, ENVIRON) == "Error: *** at db.example. Fix: mend it."


def test_a_full_disk_is_told_as_one() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/disk")
    line = error_line(error, ENVIRON)
    assert line is not None
    assert line.startswith("Error: /full/disk cannot be used: No space left on device. Fix: free space there")


def test_anything_else_is_a_bug() -> None:
    assert error_line(ValueError("x"), ENVIRON) is None
    assert error_line(FileNotFoundError(errno.ENOENT, "No such file", "/etc/nothing"), ENVIRON) is None


def test_a_bug_s_traceback_is_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("login 'c4nary' refused")
    except ValueError as error:
        log_bug(error, {"c4nary"})
    (record,) = caplog.records
    assert "Traceback" in record.getMessage()
    assert record.getMessage().rstrip().endswith("ValueError: login '***' refused")


@pytest.mark.parametrize("error", [ConfigurationError("mend it"), KeyboardInterrupt(), SystemExit(1)])
def test_what_was_foreseen_has_no_traceback(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    log_bug(error, set())
    assert not caplog.records
