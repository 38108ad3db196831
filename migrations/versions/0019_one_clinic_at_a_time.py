"""Each order of a function asks one clinic, all of them alike, or the coordinator: what a distributed engine takes."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0019_one_clinic_at_a_time.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0019_one_clinic_at_a_time_back.sql")
