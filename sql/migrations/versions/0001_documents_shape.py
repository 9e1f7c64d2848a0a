"""The control database as the documents describe it.

On an empty database this creates it; on one that the documents' own system has used it fills in what is
missing and touches nothing else, so that both go the same way from here.
"""

from __future__ import annotations

from alembic import op

from airflow_dataloader.control.migrations import refuse_data, run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what is not there."""
    run_sql(op.get_bind(), __file__, "upgrade.sql", "view.sql")


def downgrade() -> None:
    """Remove everything, if there is nothing to lose."""
    refuse_data(op.get_bind())
    run_sql(op.get_bind(), __file__, "downgrade.sql")
