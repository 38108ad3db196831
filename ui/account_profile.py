"""Who one is, and the password: the account page's first two sections."""

import streamlit as st

from lib import account
from lib.account import Profile
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, kept, state
from ui.markdown import escape


def section(identity: Identity, profile: Profile) -> None:
    st.subheader(_("Profile"), anchor=False)
    kept.begin(identity, {"profile:name": profile.full_name}, form="profile")
    kept.notice(identity, "profile", ["profile:name"])
    languages = {"": _("As the clinic has it"), **account.LANGUAGES}
    with st.form("profile"):
        name = st.text_input(_("Full name"), key=kept.key("profile:name"), autocomplete="name")
        language = st.selectbox(_("Language"), list(languages), list(languages).index(profile.language or ""),
                                key="profile_language", format_func=languages.__getitem__)
        st.caption(_("Dates and numbers follow this. The texts are in English for now: their translations are not here yet."))
        saved = st.form_submit_button(_("Save"), type="primary")
    if saved:
        _save(name, language or None)


def _save(name: str, language: str | None) -> None:
    try:
        identity = guard.act("account.own")
        account.amend(identity, name, language)
        kept.drop(identity, ["profile:name"])
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    state.start_over("profile")
    state.notify(_("Profile saved."))
    st.rerun()


def password(identity: Identity) -> None:
    st.subheader(_("Password"), anchor=False)
    task = state.task()
    if task is None or task.kind != "password":
        st.button(_("Change password"), icon=":material/password:", on_click=state.begin_task, args=(state.Task("password"),))
        return
    with st.form("password"):
        current = st.text_input(_("Current password"), type="password", key="password_current", autocomplete="current-password")
        new = st.text_input(_("New password"), type="password", key="password_new", autocomplete="new-password",
                            help=_("At least 12 characters. A few unrelated words work well."))
        st.caption(_("Every other device is signed out."))
        with st.container(horizontal=True):
            saved = st.form_submit_button(_("Save password"), type="primary")
            st.form_submit_button(_("Cancel"), on_click=state.end_task)
    if saved:
        _change(current, new)


def _change(current: str, new: str) -> None:
    try:
        account.change_password(guard.act("account.own"), current, new)
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    state.end_task()
    state.notify(_("Password changed. Every other device is signed out."))
    st.rerun()
