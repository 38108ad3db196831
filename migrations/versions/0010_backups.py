"""Backups."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0010_backups.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0010_backups_back.sql")
