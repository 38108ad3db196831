"""The assistant."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0003_assistant.sql")


def downgrade() -> None:
    raise NotImplementedError("Going back would drop what clinics paid, rated and wrote themselves. Restore a backup instead.")
