"""Programs."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0013_programs.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0013_programs_back.sql")
