"""Answers that outlive their process, their asker and their budget."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0005_answers_outlive.sql")


def downgrade() -> None:
    raise NotImplementedError("Going back would drop what callers and tests have cost. Restore a backup instead.")
