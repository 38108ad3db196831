"""Figures are read without planning for marked days where there are none."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0020_nothing_stale.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0020_nothing_stale_back.sql")
