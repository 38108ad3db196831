"""What was counted of archived days stays."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0016_archived_figures_stay.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0016_archived_figures_stay_back.sql")
