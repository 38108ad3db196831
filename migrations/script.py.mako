"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    op.execute("""
        -- plain SQL, the same statements that schema.sql gained
        """)


def downgrade() -> None:
    op.execute("""
        -- the way back, or `raise NotImplementedError` with the reason why there is none
        """)
