"""Roll-ups of the assistant's figures."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0008_rollups.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0008_rollups_back.sql")
