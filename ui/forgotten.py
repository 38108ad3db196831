"""A forgotten password: asking for a link, and choosing a new one with it."""

import streamlit as st

from lib import mail, resets
from lib.errors import AppError
from lib.texts import _
from ui import guard, state


def ask() -> None:
    """Without a mail server nothing can be sent: the sentence says who can help instead."""
    st.button(_("Back to sign-in"), type="tertiary", on_click=st.query_params.clear)
    if not mail.is_on():
        st.info(_("This installation sends no mail. An owner of your clinic can give you a link for a new password, on the page "
                  "Team; if that is not possible, whoever runs the installation can."), icon=":material/help:")
        return
    with st.form("forgotten", border=False):
        email = st.text_input(_("Email"), autocomplete="email", max_chars=255)
        asked = st.form_submit_button(_("Send me a link"), type="primary", width="stretch")
    if asked:
        _send(email)


def _send(email: str) -> None:
    try:
        resets.ask(email, address=guard.address())
    except AppError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.success(_("If there is an account with this email, a link is on its way. It works for 30 minutes."),
               icon=":material/mail:")


def choose() -> None:
    token = st.query_params.get("reset", "")
    reset = resets.find(token)
    if reset is None:
        st.error(_("This link was used already or is older than 30 minutes. Please ask for a new one."), icon=":material/error:")
        st.button(_("Back to sign-in"), type="tertiary", on_click=st.query_params.clear)
        return
    with st.form("new_password", border=False):
        st.text_input(_("Email"), reset.email, disabled=True, autocomplete="username")
        password = st.text_input(_("New password"), type="password", autocomplete="new-password",
                                 help=_("At least 12 characters. A few unrelated words work well."))
        chosen = st.form_submit_button(_("Save password"), type="primary", width="stretch")
    st.caption(_("You are signed out everywhere then, and sign in with the new password. A second factor stays as it is."))
    if chosen:
        _save(token, password)


def _save(token: str, password: str) -> None:
    try:
        resets.choose(token, password, address=guard.address())
    except AppError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.query_params.clear()
    state.mark_reset()
    st.rerun()


def notice() -> None:
    """Above the sign-in form that follows."""
    if state.take_reset():
        st.success(_("Your password is changed. Sign in with it."), icon=":material/check_circle:")
