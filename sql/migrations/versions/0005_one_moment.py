"""A claim reads a row and its source as of one moment; computed columns are no edits.

Packages of versions 0002 to 0004 go on with this schema: it answers as before.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from airflow_dataloader.control.migrations import refuse_live_loads, run_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the claim's look, what counts as configuration, and when a slot counts as given."""
    run_sql(op.get_bind(), __file__, "10_edits.sql", "20_claim.sql")


def downgrade() -> None:
    """Return to version 0004; no data is touched."""
    bind = op.get_bind()
    refuse_live_loads(bind)
    run_sql(bind, __file__, "downgrade.sql")
    run_sql(bind, str(Path(__file__).with_name("0004_lighter_snapshot.py")), "20_claim.sql")
