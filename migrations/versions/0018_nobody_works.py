"""A dead worker is missed, drafts are forgotten, and a call knows its tier."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0018_nobody_works.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0018_nobody_works_back.sql")
