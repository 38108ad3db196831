"""That an emergency was raised since the page was opened: a page that is left open asks once a minute, and a click shows it.

The list itself is not redrawn, which would take the dialog away in which somebody writes what was done; only how long each waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import streamlit as st
from babel.dates import format_timedelta
from streamlit.delta_generator import DeltaGenerator

from lib import auth, db, emergencies
from lib.identity import Identity
from lib.texts import _, count
from ui import guard

EVERY = 60.0  # seconds
SLACK = timedelta(seconds=2)  # the database's clock is another one, and what began before the page was read may end after it


@dataclass(frozen=True)
class Waiting:
    """An open emergency in its place on the page: `kind` before how long it waits, `below` under it, and nothing of a patient."""

    id: UUID
    place: DeltaGenerator
    kind: str
    raised_at: datetime
    below: str

    def draw(self, told: str) -> None:
        self.place.markdown(f"{self.kind} · {told}  \n:small[{self.below}]", width="stretch")


def watch(identity: Identity, opened: datetime, shown: Sequence[Waiting] = ()) -> None:
    """`opened`: before the page read what it shows."""
    if auth.may(identity, "emergencies.read"):
        with st.container():  # of its own, as what stands below it would be overwritten
            _tell(opened - SLACK, shown)


@st.fragment(run_every=EVERY)
def _tell(since: datetime, shown: Sequence[Waiting] = ()) -> None:
    identity, raised, waiting = guard.watch("emergencies.read"), 0, {one.id for one in shown}
    if datetime.now(UTC) - since >= timedelta(seconds=EVERY / 2):  # else the page's own run, which has just read them all
        with db.scope(identity) as scope:
            raised, waiting = emergencies.raised_since(scope, since), emergencies.still_waiting(scope, [*waiting])
    for one in shown:
        one.draw(_ago(one.raised_at, identity) if one.id in waiting else _("acknowledged meanwhile"))
    if raised:
        st.error(count("**{n} emergency** was raised since this page was opened.",
                       "**{n} emergencies** were raised since this page was opened.", raised), icon=":material/emergency:")
        if st.button(_("Show"), key="emergency_news", icon=":material/refresh:"):
            st.rerun()


def _ago(at: datetime, identity: Identity) -> str:
    waited = datetime.now(UTC) - at
    if waited < timedelta(minutes=1):
        return _("just now")
    return _("{duration} ago").format(duration=format_timedelta(waited, threshold=1, format="short", locale=identity.language))
