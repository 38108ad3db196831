"""Leaving."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0009_leaving.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0009_leaving_back.sql")
