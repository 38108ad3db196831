"""The first line of every page, and of every fragment and callback that reads or writes."""

import secrets

import streamlit as st

from lib import auth
from lib.errors import NotSignedIn
from lib.identity import Identity


def identity(*, active: bool = True) -> Identity | None:
    """Who is at this tab, read anew from the session row; None when nobody is."""
    token_id = st.user.get("session")
    if not token_id:
        return None
    try:
        return auth.resume(str(token_id), address=address(), request_id=secrets.token_hex(8), active=active)
    except NotSignedIn:
        return None


def require(permission: str) -> Identity:
    """The identity, if its role allows this. Otherwise the run ends here, and shows nothing but why."""
    return _admitted(identity(), permission)


def watch(permission: str) -> Identity:
    """`require` for what a page does by itself: watching keeps no session awake."""
    return _admitted(identity(active=False), permission)


def _admitted(someone: Identity | None, permission: str) -> Identity:
    if someone is None:
        st.error(str(NotSignedIn()), icon=":material/lock:")
        st.stop()
    auth.require(someone, permission)
    return someone


def address() -> str:
    """Streamlit leaves the address out when it is this machine's own."""
    address = st.context.ip_address
    return address if isinstance(address, str) else "127.0.0.1"
