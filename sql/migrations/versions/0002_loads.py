"""From the documents' shape to this package's: zoned timestamps, policies, epochs, leases, triggers.

Keeps all data. What an old database holds that the new one would refuse is looked for first
(:mod:`airflow_dataloader.control.adoption`): either the migration stops and says what to mend, or it goes on
and reports it.
"""

from __future__ import annotations

from pathlib import Path

from alembic import context, op

from airflow_dataloader.control import adoption
from airflow_dataloader.control.grants import regrant
from airflow_dataloader.control.migrations import refuse_live_loads, run_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adopt what is there, then add the rest."""
    bind = op.get_bind()
    options = context.config.attributes
    old = adoption.prepare(bind, zone=options.get("timestamps_zone"), report=options["report"])
    run_sql(
        bind,
        __file__,
        "10_columns.sql",
        "15_version.sql",
        "16_given.sql",
        "20_tables.sql",
        "29_identity.sql",
        "30_status_moves.sql",
        "31_arming.sql",
        "32_destination.sql",
        "33_configuration_history.sql",
        "34_watermark.sql",
    )
    adoption.finish(bind, old)
    run_sql(
        bind,
        __file__,
        "35_loads_on_record.sql",
        "36_snapshot.sql",
        "40_indexes.sql",
        "45_claim.sql",
        "50_view.sql",
        "90_comments.sql",
    )
    regrant(bind, old.grants)


def downgrade() -> None:
    """Return to the documents' columns; what they have no place for is lost."""
    bind = op.get_bind()
    refuse_live_loads(bind)
    old = adoption.release(bind)
    run_sql(bind, __file__, "downgrade.sql")
    adoption.give_back(bind, old)
    run_sql(bind, str(Path(__file__).with_name("0001_documents_shape.py")), "view.sql")
    regrant(bind, old.grants)
