"""The second factor: set up with a QR code, changed, dropped, its recovery codes renewed."""

import html
import re

import segno
import streamlit as st

from lib import factors
from lib.account import Profile
from lib.errors import AppError
from lib.factors import Enrolment
from lib.identity import Identity
from lib.texts import _, count
from ui import guard, state, widgets
from ui.markdown import escape
from ui.state import Task


def section(identity: Identity, profile: Profile) -> None:
    st.subheader(_("Second factor"), anchor=False)
    if identity.must_enrol and _task() is None:
        state.begin_task(Task("set_up", factors.begin(identity)))
    task = _task()
    if profile.factor_since:
        left = count("{n} recovery code left. If you did not keep it, make new ones.",
                     "{n} recovery codes left. If you did not keep them, make new ones.", profile.recovery_codes)
        st.markdown(f"{_('On since {moment}.').format(moment=widgets.moment(profile.factor_since, identity))} {left}")
    else:
        st.markdown(_("Off. With it, a stolen password alone opens nothing: signing in also asks for a code that an app on your "
                      "phone shows, such as Aegis, Google Authenticator or a password manager."))
    if task is None:
        _offer(profile)
    elif task.enrolment:
        _enrol(task.enrolment, identity)
    else:
        _confirm(task.kind)


def _task() -> Task | None:
    task = state.task()
    return task if task and task.kind != "password" else None


def _offer(profile: Profile) -> None:
    if not profile.factor_since:
        st.button(_("Set up a second factor"), type="primary", icon=":material/phonelink_lock:", on_click=_begin)
        return
    with st.container(horizontal=True):
        st.button(_("New recovery codes"), icon=":material/key:", on_click=state.begin_task, args=(Task("renew"),))
        st.button(_("Move to another phone"), icon=":material/phonelink_setup:", on_click=_begin)
        if not profile.factor_required:
            st.button(_("Switch off"), icon=":material/no_encryption:", on_click=state.begin_task, args=(Task("drop"),))


def _begin() -> None:
    try:
        state.begin_task(Task("set_up", factors.begin(guard.require("account.own"))))
    except AppError as error:
        state.notify(str(error), ":material/error:")


def _enrol(enrolment: Enrolment, identity: Identity) -> None:
    st.markdown(_("Scan this with the app, then type the six digits that it shows."))
    with st.container(horizontal=True, key="enrolment"):
        st.html(_picture(enrolment), width="content")
        with st.container(width="stretch"):
            st.markdown(_("Or type this into the app, as a time-based code:"))
            st.code(" ".join(re.findall("....", enrolment.secret)), language=None, wrap_lines=True)
            st.link_button(_("Open in an app on this phone"), enrolment.address, icon=":material/smartphone:")
    with st.form("set_up"):
        code = st.text_input(_("Code from the app"), key="factor_code", autocomplete="one-time-code")
        password = _ask_for_password("set_up")
        st.caption(_("Every other device is signed out."))
        with st.container(horizontal=True):
            switched_on = st.form_submit_button(_("Switch on"), type="primary")
            if not identity.must_enrol:
                st.form_submit_button(_("Cancel"), on_click=state.end_task)
    if switched_on:
        _set_up(enrolment, password, code)


def _picture(enrolment: Enrolment) -> str:
    """Dark on white in both themes: not every app reads it the other way round."""
    source = segno.make(enrolment.address, error="m").svg_data_uri(scale=4, dark="#000", light="#fff")
    alt = _("QR code for an authenticator app; it holds the same as the letters beside it")
    return f"<img class='qr' src='{html.escape(source)}' alt='{html.escape(alt)}'>"


def _confirm(kind: str) -> None:
    with st.form(kind):
        st.markdown(_("The codes you have become void.") if kind == "renew" else
                    _("Signing in asks for the password alone from then on. Every other device is signed out."))
        password = _ask_for_password(kind)
        with st.container(horizontal=True):
            agreed = st.form_submit_button(_("Make new codes") if kind == "renew" else _("Switch off"), type="primary")
            st.form_submit_button(_("Cancel"), on_click=state.end_task)
    if agreed:
        (_renew if kind == "renew" else _drop)(password)


def _ask_for_password(kind: str) -> str:
    """Each form has its own field: what was typed into one does not stand in the next."""
    return st.text_input(_("Current password"), type="password", key=f"factor_password_{kind}", autocomplete="current-password")


def _set_up(enrolment: Enrolment, password: str, code: str) -> None:
    try:
        codes = factors.set_up(guard.act("account.own"), password, enrolment.secret, code)
    except AppError as error:
        return _refuse(error)
    state.keep_codes(codes)
    state.notify(_("Your second factor is on."))
    st.switch_page("../pages/account.py")  # wherever somebody who had to was led here from: the codes are shown there


def _renew(password: str) -> None:
    try:
        codes = factors.renew_codes(guard.act("account.own"), password)
    except AppError as error:
        return _refuse(error)
    state.keep_codes(codes)
    st.rerun()


def _drop(password: str) -> None:
    try:
        factors.drop(guard.act("account.own"), password)
    except AppError as error:
        return _refuse(error)
    state.end_task()
    state.forget_codes()
    state.notify(_("Your second factor is off."))
    st.rerun()


def _refuse(error: AppError) -> None:
    st.error(escape(str(error)), icon=":material/error:")
