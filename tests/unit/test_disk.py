from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from airflow_dataloader.disk import disk_error

ENVIRON = {"DATALOADER_HOME": "/srv/loader"}


@pytest.mark.parametrize("path", ["/srv/loader/jars/.lock", "/srv/loader", Path("/srv"), b"/srv/loader/x"])
def test_a_home_that_cannot_be_used_is_named_with_its_fix(path: str | bytes | Path) -> None:
    found = disk_error(OSError(errno.EACCES, "Permission denied", path), ENVIRON)
    assert found is not None
    assert found.field == "DATALOADER_HOME"
    assert str(found) == (
        f"{os.fsdecode(path)} cannot be used: Permission denied. "
        "Fix: set DATALOADER_HOME to a folder that you may write to."
    )


def test_a_full_disk_is_named_wherever_it_is() -> None:
    found = disk_error(OSError(errno.ENOSPC, "No space left on device"), ENVIRON)
    assert str(found).startswith("The disk cannot be used: No space left on device. Fix: free space there")
    found = disk_error(OSError(errno.EDQUOT, "Disk quota exceeded", "/tmp/x"), ENVIRON)
    assert str(found).startswith("/tmp/x cannot be used: Disk quota exceeded. Fix: free space there")


@pytest.mark.parametrize(
    "error", [OSError("?"), FileNotFoundError(2, "No such file", "/etc/x"), ValueError()]
)
def test_the_rest_is_not_the_disk_s(error: Exception) -> None:
    assert disk_error(error, ENVIRON) is None


def test_a_wrong_setting_does_not_hide_what_went_wrong() -> None:
    wrong = {**ENVIRON, "DATALOADER_BATCH_SIZE": "ten"}
    assert disk_error(OSError(errno.EACCES, "Permission denied", "/srv/loader"), wrong) is None
    assert disk_error(OSError(errno.ENOSPC, "No space left on device", "/srv/loader"), wrong) is not None
