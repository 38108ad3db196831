"""A process asks of all answers that it writes at once whether somebody wants them to end, and those that end keep their tier."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0021_going_on.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0021_going_on_back.sql")
