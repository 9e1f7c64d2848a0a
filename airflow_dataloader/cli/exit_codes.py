"""What the command's exit code means."""

from __future__ import annotations

from enum import IntEnum

from airflow_dataloader.exceptions import (
    ConfigurationError,
    ControlUnavailable,
    DataloaderError,
    Fenced,
    NotMigrated,
)


class ExitCode(IntEnum):
    """Exit codes of ``dataloader``; 130 stands for an interrupt, as in every shell."""

    DONE = 0
    #: At least one load failed, or a check did not hold.
    FAILED = 1
    USAGE = 2
    #: Somebody else changed or owns what the command wanted to change.
    CONFLICT = 4
    #: The control database cannot be reached, or is not migrated.
    CONTROL = 5
    INTERRUPTED = 130


#: What was wrong is an argument of the command, or where the control database is.
_BY_FIELD = {
    "selector": ExitCode.USAGE,
    "revision": ExitCode.USAGE,
    "DATALOADER_CONTROL_URL": ExitCode.CONTROL,
    "LAKEBASE_HOST": ExitCode.CONTROL,
    "LAKEBASE_PORT": ExitCode.CONTROL,
    "LAKEBASE_DATABASE": ExitCode.CONTROL,
    "LAKEBASE_USER": ExitCode.CONTROL,
    "LAKEBASE_PASSWORD": ExitCode.CONTROL,
    "PGHOST": ExitCode.CONTROL,
    "PGHOSTADDR": ExitCode.CONTROL,
    "PGPORT": ExitCode.CONTROL,
    "PGSERVICE": ExitCode.CONTROL,
    "PGSSLMODE": ExitCode.CONTROL,
    "service": ExitCode.CONTROL,
    "servicefile": ExitCode.CONTROL,
    "sslmode": ExitCode.CONTROL,
}


def exit_code(error: DataloaderError) -> ExitCode:
    """Return the exit code for an error that a command ends with."""
    if isinstance(error, (ControlUnavailable, NotMigrated)):
        return ExitCode.CONTROL
    if isinstance(error, Fenced):
        return ExitCode.CONFLICT
    if isinstance(error, ConfigurationError) and error.field is not None:
        return _BY_FIELD.get(error.field, ExitCode.FAILED)
    return ExitCode.FAILED
