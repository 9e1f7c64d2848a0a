"""Which control database this is."""

from __future__ import annotations

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.exceptions import ConfigurationError

_ID = text("SELECT id FROM control.installation")


def check_installation(engine: Engine, expected: str) -> None:
    """Raise ConfigurationError unless the control database behind ``engine`` has the id ``expected``."""
    with transaction(engine, readonly=True) as connection:
        found: str = connection.execute(_ID, execution_options=LAST).scalar_one()
    if found != expected:
        raise ConfigurationError(
            f"This run was submitted for control database {expected}, and its cluster leads to {found}.",
            field="DATALOADER_CONTROL_URL",
            fix="submit loads of one control database only to a cluster whose environment or secret names it",
        )
