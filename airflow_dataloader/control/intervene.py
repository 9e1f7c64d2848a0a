"""What people and monitors may do to a row past its loader: end its load, set it back, lift its epoch."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from airflow_dataloader.control.ending import Ending, SettledBy, end
from airflow_dataloader.control.row_lock import HOLD_ROW
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.commit import HIGHEST_GIVEN_EPOCH
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.status import LIVE, LoadStatus, RowStatus
from airflow_dataloader.core.texts import kept_text
from airflow_dataloader.exceptions import ConfigurationError

_LIVE_LOAD = text("""
SELECT h.id, h.epoch FROM control.historical_metadata h
JOIN control.table_control t ON t.config_id = h.config_id AND t.load_epoch = h.epoch
WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL
    AND (h.id = :metadata_id OR t.config_id = :config_id)
    AND (CAST(:airflow_task AS text) IS NULL OR h.airflow_task = :airflow_task)""")

_SAY = text("""
UPDATE control.table_control t SET last_status = :status, last_status_message = :message
WHERE t.config_id = :config_id AND t.last_status = ANY (:allowed)""")

_STATUS = text("SELECT last_status FROM control.table_control WHERE config_id = :config_id")

_ADVANCE = text("""
UPDATE control.table_control t SET load_epoch = greatest(t.load_epoch, :epoch)
WHERE t.config_id = :config_id AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
RETURNING t.load_epoch""")


def cancel(
    engine: Engine,
    metadata_id: int,
    reason: str,
    *,
    settled_by: SettledBy = SettledBy.CANCEL,
    status: LoadStatus = LoadStatus.CANCELLED,
    airflow_task: str | None = None,
) -> bool:
    """End a live load as Cancelled (or Failed), its row as Failed; False when it was over already.

    With ``airflow_task`` only while that task answers for it. Its loader is refused from then on. Whoever
    calls this also cancels the run.
    """
    values = {"metadata_id": metadata_id, "config_id": None, "airflow_task": airflow_task}
    with transaction(engine) as connection:
        if airflow_task is not None:
            connection.execute(HOLD_ROW, values)
        live = connection.execute(_LIVE_LOAD, values).one_or_none()
        if live is None:
            return False
        ending = _cancellation(live.id, live.epoch, reason, settled_by, status)
        return bool(end(connection, [ending], last=True))


def update_control_status(
    engine: Engine, config_id: int, status: RowStatus | None, message: str, *, changed_by: str | None = None
) -> None:
    """Set a row to Failed or NULL with a message; a live load of the row is cancelled first.

    Queued, In Progress and Succeeded are written by claims and loaders alone. Raises ConfigurationError when
    the row may not move there.
    """
    if status not in {None, RowStatus.FAILED}:
        writer = "a claim" if status is RowStatus.QUEUED else "a loader"
        raise ConfigurationError(
            f"last_status {status} is written by {writer} alone.",
            field="last_status",
            fix="set Failed or NULL",
        )
    # A live row whose load is not to be found was set live by hand.
    allowed = [RowStatus.FAILED, *sorted(LIVE)] if status else [RowStatus.FAILED, RowStatus.SUCCEEDED]
    with transaction(engine, change_source="status_reset", changed_by=changed_by) as connection:
        one = {"config_id": config_id, "metadata_id": None, "airflow_task": None}
        connection.execute(HOLD_ROW, one)
        live = connection.execute(_LIVE_LOAD, one).one_or_none()
        if live is not None:
            end(connection, [_cancellation(live.id, live.epoch, message, SettledBy.CANCEL)])
        values = {"config_id": config_id, "status": status, "message": kept_text(message), "allowed": allowed}
        if connection.execute(_SAY, values).rowcount == 0:
            raise _not_moved(connection, config_id, f"cannot go to {status or 'NULL'} from there", "leave it")


def advance_epoch(engine: Engine, config_id: int, epoch: int) -> int:
    """Lift a row's epoch to ``epoch`` at least, after a restore from a backup; return what it is now.

    Raises ConfigurationError when the row does not exist or is being loaded, or the epoch is out of range.
    """
    if not 0 <= epoch <= HIGHEST_GIVEN_EPOCH:
        raise ConfigurationError(
            f"Epoch {epoch} for config_id {config_id} is not between 0 and {HIGHEST_GIVEN_EPOCH}.",
            field="epoch",
            fix="use the epoch that the load's refusal names",
        )
    with transaction(engine) as connection:
        values = {"config_id": config_id, "epoch": epoch}
        now = connection.execute(_ADVANCE, values).scalar_one_or_none()
        if now is None:
            fix = "wait for its load, or cancel it"
            raise _not_moved(connection, config_id, "keeps its epoch while it is being loaded", fix)
    return int(now)


def _not_moved(connection: Connection, config_id: int, what: str, fix: str) -> ConfigurationError:
    """Return why a row was not written: there is none, or its status does not let it."""
    found = connection.execute(_STATUS, {"config_id": config_id}).one_or_none()
    if found is None:
        return ConfigurationError(
            f"There is no config_id {config_id}.",
            field="config_id",
            fix="use the config_id of a row of control.table_control",
        )
    standing = "has no status" if found.last_status is None else f"is {found.last_status}"
    return ConfigurationError(f"config_id {config_id} {standing}, and {what}.", field="last_status", fix=fix)


def _cancellation(
    metadata_id: int,
    epoch: int,
    reason: str,
    settled_by: SettledBy,
    status: LoadStatus = LoadStatus.CANCELLED,
) -> Ending:
    failure = Failure(phase=Phase.RUN, error=str(status), message=reason, transient=False)
    return Ending(metadata_id=metadata_id, epoch=epoch, status=status, failure=failure, settled_by=settled_by)
