"""Alerts."""

from pathlib import Path

from alembic import op

from lib.migrations import run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0011_alerts.sql")


def downgrade() -> None:
    run_script(op.get_bind(), Path(__file__).parent / "0011_alerts_back.sql")
