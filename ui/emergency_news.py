"""That an emergency was raised since the page was opened: a page that is left open asks once a minute, and a click shows it.

The list itself is not redrawn, which would take the dialog away in which somebody writes what was done; only how long each waits.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from lib import auth, db, emergencies
from lib.identity import Identity
from lib.texts import _, count
from ui import guard

EVERY = 60.0  # seconds
SLACK = timedelta(seconds=2)  # the database's clock is another one, and what began before the page was read may end after it


def watch(identity: Identity, opened: datetime, aging: Sequence[Callable[[], None]] = ()) -> None:
    """`opened`: before the page read what it shows. `aging`: draw, in places above, what grows old, now and whenever it asks."""
    if auth.may(identity, "emergencies.read"):
        with st.container():  # of its own, as what stands below it would be overwritten
            _tell(opened - SLACK, aging)


@st.fragment(run_every=EVERY)
def _tell(since: datetime, aging: Sequence[Callable[[], None]] = ()) -> None:
    just_read = datetime.now(UTC) - since < timedelta(seconds=EVERY / 2)  # in the page's own run, all of them
    raised = 0 if just_read else _count(since)
    for draw in aging:
        draw()
    if raised:
        st.error(count("**{n} emergency** was raised since this page was opened.",
                       "**{n} emergencies** were raised since this page was opened.", raised), icon=":material/emergency:")
        if st.button(_("Show"), key="emergency_news", icon=":material/refresh:"):
            st.rerun()


def _count(since: datetime) -> int:
    with db.scope(guard.watch("emergencies.read")) as scope:
        return emergencies.raised_since(scope, since)
