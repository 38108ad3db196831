"""The first schema."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0001_initial.sql")


def downgrade() -> None:
    raise NotImplementedError("Before 0001 there is nothing: going back would drop every clinic's data. Drop the database instead.")
