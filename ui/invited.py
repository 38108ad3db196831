"""A link that invites somebody: for a new person, for one who has an account, and for one who is signed in already."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from lib import auth, team
from lib.auth import Account
from lib.errors import AppError, Invalid
from lib.identity import Identity
from lib.team import Invitation
from lib.texts import _
from ui import guard, roles, state
from ui.markdown import escape


def show(sign_in: Callable[[], None], admit: Callable[..., None]) -> None:
    """Signed out: sign in as the invited address, or become somebody with it."""
    invitation = team.find_invitation(_token())
    if invitation is None:
        st.error(_void(), icon=":material/error:")
        st.button(_("Go to sign-in"), type="tertiary", on_click=st.query_params.clear)
        return
    st.markdown(_("**{clinic}** invites you to join as {role}. The invitation is for {email}.").format(
        clinic=escape(invitation.clinic_name), role=roles.name(invitation.role), email=escape(invitation.email)))
    choice = st.segmented_control(_("Do you have an account?"), ["new", "known"], default="new", required=True,
                                  format_func={"new": _("I am new"), "known": _("I have an account")}.__getitem__,
                                  label_visibility="collapsed", key="invited_as", width="stretch")
    sign_in() if choice == "known" else _open_account(invitation, admit)
    st.button(_("Continue without the invitation"), type="tertiary", on_click=st.query_params.clear)


def _open_account(invitation: Invitation, admit: Callable[..., None]) -> None:
    with st.form("open_account", border=False):
        st.text_input(_("Email"), invitation.email, disabled=True, autocomplete="username")
        full_name = st.text_input(_("Full name"), autocomplete="name")
        password = st.text_input(_("Password"), type="password", autocomplete="new-password",
                                 help=_("At least 12 characters. A few unrelated words work well."))
        if not st.form_submit_button(_("Join"), type="primary", width="stretch"):
            return
    try:
        team.open_account(_token(), full_name, password, address=guard.address())
        admit(auth.find_account(invitation.email), keep=False)
    except AppError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def join(account: Account) -> Account:
    """With no invitation in the address, nothing. Otherwise the account, now of the inviting clinic. Raises Invalid when the
    invitation is for somebody else or void."""
    if not _token() or account.id is None:
        return account
    clinic_id = team.accept(_token(), account.id, address=guard.address())
    if clinic_id is None:
        raise Invalid(_("This invitation is for another email, or void by now. You can sign in without it."))
    _dismiss()
    return replace(account, clinic_id=clinic_id)


def offer(identity: Identity) -> None:
    """Signed in already: one click joins, and changes to the other clinic. A link into this very clinic that is void was
    accepted a moment ago."""
    if not _token():
        return
    invitation = team.find_invitation(_token())
    if invitation is None and team.clinic_of(_token()) == identity.clinic_id:
        _dismiss()
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="invitation"):
        st.markdown(_sentence(invitation, identity), width="stretch")
        st.button(_("Dismiss"), on_click=_dismiss)
        if invitation and _is_for(identity, invitation) and st.button(_("Join"), type="primary"):
            _join_as(guard.act("account.own"))


def _sentence(invitation: Invitation | None, identity: Identity) -> str:
    if invitation is None:
        return _void()
    if not _is_for(identity, invitation):
        return _("This invitation is for {email}. Sign out to use it.").format(email=escape(invitation.email))
    return _("**{clinic}** invites {email} to join as {role}.").format(
        clinic=escape(invitation.clinic_name), role=roles.name(invitation.role), email=escape(invitation.email))


def _is_for(identity: Identity, invitation: Invitation) -> bool:
    """For the sentence; who is let in, the database decides."""
    mine, invited = (unicodedata.normalize("NFKC", email.strip()).casefold() for email in (identity.email, invitation.email))
    return mine == invited


def _join_as(identity: Identity) -> None:
    clinic_id = team.accept(_token(), identity.user_id, address=guard.address())
    if clinic_id is None:
        st.error(_("This invitation is for another email, or void by now."), icon=":material/error:")
        return
    _dismiss()
    if clinic_id != identity.clinic_id:
        auth.switch_clinic(identity, clinic_id)
    state.notify(_("Welcome."))
    st.rerun()


def _void() -> str:
    return _("This invitation was used already, was withdrawn, or is older than 72 hours. Ask for a new one.")


def _dismiss() -> None:
    st.query_params.pop("invite", None)


def _token() -> str:
    return st.query_params.get("invite", "")
