"""Leavers and second factors."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0004_leavers_and_factors.sql")


def downgrade() -> None:
    raise NotImplementedError("Going back would let people who left sign again once they return. Restore a backup instead.")
