"""A clinic's own provider is watched."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0017_own_providers_are_watched.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0017_own_providers_are_watched_back.sql")
