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
        return auth.resume(str(token_id), address=st.context.ip_address or "127.0.0.1")
    except NotSignedIn:
        return None


def require(permission: str) -> Identity:
    """The identity, if its role allows this. Otherwise the run ends here: with the sign-in form, or with the refusal."""
    someone = identity()
    if someone is None:
        st.rerun(scope="app")
    auth.require(someone, permission)
    return someone
