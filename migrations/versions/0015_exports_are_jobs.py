"""Exports are jobs."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0015_exports_are_jobs.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0015_exports_are_jobs_back.sql")
