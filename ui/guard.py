"""The first line of every page, and of every fragment and callback that reads or writes."""

import streamlit as st

from lib import auth
from lib.errors import NotSignedIn
from lib.identity import Identity


def identity() -> Identity | None:
    """Who is at this tab, read anew from the session row; None when nobody is."""
    token_id = st.user.get("session")
    if not token_id:
        return None
    try:
        return auth.resume(str(token_id), address=_address())
    except NotSignedIn:
        return None


def require(permission: str) -> Identity:
    """The identity, if its role allows this. Otherwise the run ends here, and shows nothing but why."""
    someone = identity()
    if someone is None:
        st.error(str(NotSignedIn()), icon=":material/lock:")
        st.stop()
    auth.require(someone, permission)
    return someone


def _address() -> str:
    """Streamlit leaves the address out when it is this machine's own."""
    address = st.context.ip_address
    return address if isinstance(address, str) else "127.0.0.1"
