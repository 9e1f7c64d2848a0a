"""Every error that this package raises on purpose.

The class says whether trying again can help; the attributes carry the facts, so that nothing downstream
parses a message::

    DataloaderError
      TransientError            the same load may succeed later, unchanged
        ControlUnavailable      the control database cannot be reached
        SourceUnavailable       the source cannot be reached, or broke off
          SourceStalled         it is connected, and nothing comes from it
        EngineFailed            the engine broke; OutcomeUnknown when a write may still land
          OutcomeUnknown
      TerminalError             somebody has to change something first
        ConfigurationError      a row, a setting or a secret is wrong or missing
          NotMigrated           the control database's schema is not the one this package needs
          RowRefused            the control database refuses to write a row
        SourceRefused           the source answered, and refused (login, missing table, bad SQL)
        ValueRefused            a value of the source cannot be loaded as it is
        SchemaRefused           source and target columns do not fit together
        EmptySource             an empty source would empty a filled target
        ShrinkRefused           the target would lose more of its rows than its row allows
        TargetAhead             the target holds commits that the control database never made
      Fenced                    neither: another load owns the row or the target, and decides; write nothing
        LeaseLost               this loader could not renew its lease in time
"""

from __future__ import annotations


class DataloaderError(Exception):
    """Something went wrong, and the message says what, where, and how to mend it.

    ``field`` names the column or setting at fault, ``fix`` what to do about it, without a full stop;
    ``sqlstate`` and ``vendor_code`` are the failing system's own codes. Texts are free of secrets already.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        fix: str | None = None,
        sqlstate: str | None = None,
        vendor_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.fix = fix
        self.sqlstate = sqlstate
        self.vendor_code = vendor_code

    def __str__(self) -> str:
        """Return message and fix as one sentence each."""
        return f"{self.message} Fix: {self.fix}." if self.fix else self.message


class TransientError(DataloaderError):
    """The same load may succeed later without anybody changing anything."""


class ControlUnavailable(TransientError):
    """The control database cannot be reached."""


class SourceUnavailable(TransientError):
    """The source cannot be reached, or broke off in the middle."""


class SourceStalled(SourceUnavailable):
    """The source is connected, and nothing has come from it for too long."""


class EngineFailed(TransientError):
    """The engine broke before a write, or a write certainly did not happen."""


class OutcomeUnknown(EngineFailed):
    """A write was sent and its outcome is unknown: it may have landed, or may land later."""


class TerminalError(DataloaderError):
    """Trying again will not help until somebody changes something."""


class ConfigurationError(TerminalError):
    """A control row, a setting or a secret is wrong or missing."""


class NotMigrated(ConfigurationError):
    """The control database's schema is not the one that this package needs."""


class RowRefused(ConfigurationError):
    """The control database refuses to write a row, because of a constraint of somebody's own, say.

    ``config_id`` and ``label`` name the row; ``others`` are what the same call met with further rows.
    """

    def __init__(
        self,
        message: str,
        *,
        config_id: int,
        label: str,
        field: str | None = None,
        fix: str | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message, field=field, fix=fix, sqlstate=sqlstate)
        self.config_id = config_id
        self.label = label
        self.others: tuple[RowRefused, ...] = ()


class SourceRefused(TerminalError):
    """The source answered and refused: login, missing table or column, bad SQL."""


class ValueRefused(TerminalError):
    """A value of the source cannot be loaded as it is: not exactly, or by its target's own rules."""


class SchemaRefused(TerminalError):
    """The columns of source and target do not fit together."""


class EmptySource(TerminalError):
    """An empty source would empty a filled target, by a load under empty_source_policy fail or by a scan."""


class ShrinkRefused(TerminalError):
    """The target would lose a larger share of its rows than shrink_guard_percent allows."""


class TargetAhead(TerminalError):
    """The target holds commits of a later epoch than the control database ever gave out."""


class Fenced(DataloaderError):
    """Another load owns the row or the target by now; this one must stop and write nothing."""


class LeaseLost(Fenced):
    """The loader could not renew its lease in time and stopped its own work."""
