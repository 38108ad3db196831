"""A worker missed."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0014_a_worker_missed.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0014_a_worker_missed_back.sql")
