"""What was done about an emergency."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0006_what_was_done.sql")


def downgrade() -> None:
    raise NotImplementedError("Going back would let managers read what was done again. Restore a backup instead.")
