"""The first line of every page, and of every fragment and callback that reads or writes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from uuid import UUID

import streamlit as st

from lib import audit, auth, logs, rate_limits
from lib.errors import Forbidden, NotSignedIn
from lib.identity import Identity
from lib.texts import _
from ui import state

FRESH = 1.0  # seconds: a page that runs longer asks again who is there
_reading: ContextVar[tuple[Identity, float] | None] = ContextVar("_reading", default=None)


@contextmanager
def known(someone: Identity) -> Iterator[None]:
    """Within this, `require` takes what the run has just read for what is so: a page and its fragments ask for one row once.

    Callbacks and fragments that run by themselves stand outside, and `act` and `watch` always ask anew.
    """
    logs.note(page=state.page())
    token = _reading.set((replace(someone, place=place()), time.monotonic()))
    try:
        yield
    finally:
        _reading.reset(token)


def identity(*, active: bool = True) -> Identity | None:
    """Who is at this tab, read anew from the session row; None when nobody is."""
    token_id = st.user.get("session")
    if not token_id:
        return None
    try:
        someone = auth.resume(str(token_id), address=address(), request_id=logs.request_id(), place=place(),
                              active=active and not state.drowsy())
    except NotSignedIn:
        return None
    logs.know(someone)
    logs.note(page=state.page())
    return someone


def require(permission: str) -> Identity:
    """The identity, if its role allows this. Otherwise the run ends here, and shows nothing but why."""
    return _admitted(_just_read() or identity(), permission)


def act(permission: str) -> Identity:
    """`require` for what changes something: one of the changes that a person has in fifteen minutes."""
    someone = _admitted(identity(), permission)
    rate_limits.spend("changes", someone.user_id)
    return someone


def watch(permission: str) -> Identity:
    """`require` for what a page does by itself: watching keeps no session awake."""
    return _admitted(identity(active=False), permission)


def _just_read() -> Identity | None:
    reading = _reading.get()
    return reading[0] if reading and time.monotonic() - reading[1] < FRESH else None


def _admitted(someone: Identity | None, permission: str) -> Identity:
    if someone is None:
        st.error(str(NotSignedIn()), icon=":material/lock:")
        st.stop()
    if state.moved(someone.clinic_id):
        raise Forbidden(_("You changed to another clinic in another tab. Nothing was done here."))
    try:
        auth.require(someone, permission)
    except Forbidden:
        audit.record_refusal(someone)
        raise
    return someone


def address() -> str:
    """Streamlit leaves the address out when it is this machine's own."""
    address = st.context.ip_address
    return address if isinstance(address, str) else "127.0.0.1"


def place() -> str:
    """The page, by the menu's own word and not the client's, and the patient it was asked for: where a refusal happened."""
    try:
        return f"{state.page()} {UUID(st.query_params.get('patient', ''))}"
    except ValueError:
        return state.page()
