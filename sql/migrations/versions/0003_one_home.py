"""What is asked of loads on record gets one home, and a claim fires its triggers in less time.

Packages of version 0002 go on with this schema: it takes nothing away, and the triggers do what they did.
"""

from __future__ import annotations

from alembic import op

from airflow_dataloader.control.migrations import run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the functions, and replace the triggers' conditions."""
    run_sql(op.get_bind(), __file__, "10_loads.sql", "20_triggers.sql")


def downgrade() -> None:
    """Return to version 0002; no data is touched."""
    run_sql(op.get_bind(), __file__, "downgrade.sql")
