"""Jobs."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0007"
down_revision = "0006"
FOLDER = Path(__file__).parent


def upgrade() -> None:
    run_script(op.get_bind(), FOLDER / "0007_jobs.sql")


def downgrade() -> None:
    run_script(op.get_bind(), FOLDER / "0007_jobs_back.sql")
