"""Exports are no long jobs."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0012_exports.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0012_exports_back.sql")
