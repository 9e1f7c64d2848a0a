"""A claim writes down what its loads freeze in less time.

Packages of versions 0002 and 0003 go on with this schema: it answers as before.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from airflow_dataloader.control.migrations import refuse_live_loads, run_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the shape of a snapshot; replace the claim's look."""
    run_sql(op.get_bind(), __file__, "10_snapshot.sql", "20_claim.sql")


def downgrade() -> None:
    """Return to version 0003; no data is touched."""
    bind = op.get_bind()
    # Their loaders go on asking what this version answers.
    refuse_live_loads(bind)
    run_sql(bind, __file__, "downgrade.sql")
    run_sql(bind, str(Path(__file__).with_name("0003_lighter_claim.py")), "30_claim.sql")
    op.execute("DROP FUNCTION control.frozen(control.table_control, control.table_control_dbconfig)")
    op.execute("DROP TYPE control.load_configuration")
