"""People and trust."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0002_people_and_trust.sql")


def downgrade() -> None:
    raise NotImplementedError("Going back would drop people's second factors and the seals of the audit log. Restore a backup instead.")
