"""Counting anew what has changed since it was last counted, for figures that cost the same after ten million questions.

Triggers mark what changes (figure_marks); the database counts each marked day of a clinic's wall clock from its rows. Until then
the views named …_now take marked days from the rows themselves, so figures are exact at every moment, however late this runs.
"""

from lib import db

MOST = 100  # days in one transaction


def refresh() -> bool:
    """Whether there is more to count. Whoever calls it may do so twice, or at the same moment as somebody else: then one of them
    counts."""
    with db.nobody() as connection:
        return bool(connection.execute(db.statement("select app.refresh_rollups(:most)"), {"most": MOST}).scalar_one() >= MOST)
