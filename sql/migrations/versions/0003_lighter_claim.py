"""What is asked of loads on record gets one home, and a claim takes less time.

Packages of version 0002 go on with this schema: it takes nothing away, and answers as before.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from airflow_dataloader.control.migrations import refuse_live_loads, run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add functions and an index; replace the triggers' conditions, and the claim's look."""
    run_sql(op.get_bind(), __file__, "10_loads.sql", "20_triggers.sql", "30_claim.sql")


def downgrade() -> None:
    """Return to version 0002; no data is touched."""
    bind = op.get_bind()
    # Their loaders go on asking what this version answers.
    refuse_live_loads(bind)
    run_sql(bind, __file__, "downgrade.sql")
    run_sql(bind, str(Path(__file__).with_name("0002_loads.py")), "45_claim.sql")
