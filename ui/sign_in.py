"""The only screen of a signed-out visitor: sign in, or open a clinic. Stands at every page's address, so links survive."""

import secrets
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import streamlit as st
import streamlit_authenticator as authenticator
from streamlit_authenticator.models import AuthenticationModel, cookie_model

from lib import auth, countries, factors, tokens
from lib.auth import Account
from lib.errors import AppError, Invalid, NotSignedIn
from lib.texts import _
from ui import bridge, forgotten, guard, invited, state
from ui.markdown import escape
from ui.state import Pending

PATIENCE = 300  # seconds between the password and the second factor


class Accounts(dict[str, dict[str, Any]]):
    """streamlit-authenticator's dict of all users, holding only the one that is asked for."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> dict[str, Any]:
        account = auth.find_account(name)
        self[name] = {"account": account, "email": account.email, "name": account.full_name, "password": account.password_hash}
        return self[name]


class Credentials(AuthenticationModel):  # type: ignore[misc]
    """Its password check, by lib.auth: bounded, limited, equal in time for strangers, recorded when it fails."""

    def login(self, username: str, *arguments: Any, **options: Any) -> bool:
        if not username.strip():  # of which the package says nothing
            raise Invalid(_("Type your email and your password."))
        return bool(super().login(username, *arguments, **options))

    def check_credentials(self, username: str, password: str) -> bool:
        return auth.verify(self.credentials["usernames"][username]["account"], password, address=guard.address())


class NoCookie:
    """In place of a cookie set by script, which could never be HttpOnly."""

    def get_cookie(self) -> None:
        return None

    def set_cookie(self) -> None:
        return None


# Its cookie manager is an iframe, which the content policy forbids and which nothing here needs.
cookie_model.stx = SimpleNamespace(CookieManager=NoCookie)


def show() -> None:
    bridge.mount(None)
    if state.ticket():
        st.caption(_("Signing you in …"))
        return
    with st.container(key="welcome"):
        tagline = _("Patients, answers and figures of your clinic.")
        st.html(f"<div class='wordmark'>Chairside</div><p class='tagline'>{tagline}</p>")
        if st.query_params.get("ended"):
            st.info(str(NotSignedIn()), icon=":material/logout:")
        forgotten.notice()
        _door()()


def _door() -> Any:
    """One form at a time: whichever the address, or the step before, asks for."""
    if state.pending():
        return _second_factor
    if st.query_params.get("reset"):
        return forgotten.choose
    if st.query_params.get("form") == "forgotten":
        return forgotten.ask
    if st.query_params.get("invite"):
        return partial(invited.show, _sign_in, admit)
    return _sign_up if auth.sign_up_offered() and _wants_to_sign_up() else _sign_in


def _wants_to_sign_up() -> bool:
    """A house where nobody lives yet offers the new clinic first."""
    choice = st.query_params.get("form") or ("sign-up" if auth.nobody_yet() else "sign-in")
    other, label = (("sign-in", _("I already have an account")) if choice == "sign-up"
                    else ("sign-up", _("New here? Open a clinic account")))
    with st.container(key="welcome_switch"):
        st.button(label, type="tertiary", on_click=lambda: st.query_params.update({"form": other}))
    return choice == "sign-up"


# with a password -----------------------------------------------------------------------------------------------------


def _sign_in() -> None:
    form = _form()
    keep = st.checkbox(_("Keep me signed in on this device for 7 days"), help=_("Not on a shared computer."))
    try:
        form.login(fields={"Form name": "", "Username": _("Email"), "Password": _("Password"), "Login": _("Sign in")},
                   key="sign_in", callback=partial(_accept, form, keep))
    except AppError as error:
        st.error(str(error), icon=":material/error:")
    if st.session_state.get("authentication_status") is False:
        st.error(_("This email and password don't match an account. Check both and try again."), icon=":material/error:")
    if state.ticket() or state.pending():
        st.rerun()
    st.button(_("Forgot your password?"), type="tertiary", on_click=lambda: st.query_params.update({"form": "forgotten"}))


def _form() -> authenticator.Authenticate:
    """Only its form is used, never its cookie or its session state: see docs/adr/003-sign-in.md."""
    form = authenticator.Authenticate({"usernames": {}}, cookie_key=secrets.token_hex(32), cookie_expiry_days=0,
                                      auto_hash=False, login_sleep_time=0)
    model = Credentials({"usernames": {}}, auto_hash=False)
    model.credentials["usernames"] = Accounts()
    form.authentication_controller.authentication_model = model
    form.cookie_controller = NoCookie()
    st.session_state["authentication_status"] = None
    return form


def _accept(form: authenticator.Authenticate, keep: bool, details: dict[str, Any]) -> None:
    accounts = form.authentication_controller.authentication_model.credentials["usernames"]
    admit(accounts[details["username"]]["account"], keep=keep)


def admit(account: Account, *, keep: bool) -> None:
    """Past the password: to the second factor where there is one, otherwise in."""
    if account.factor:
        state.set_pending(Pending(replace(account, password_hash=""), tokens.digest(account.password_hash), keep,
                                  time.monotonic() + PATIENCE))
    else:
        _let_in(account, keep=keep)


def _let_in(account: Account, *, keep: bool) -> None:
    """An invitation is accepted here, by whoever has just proved to be the invited person."""
    state.set_ticket(auth.issue_ticket(invited.join(account), keep=keep))


# with a second factor ------------------------------------------------------------------------------------------------


def _second_factor() -> None:
    waiting = state.pending()
    assert waiting
    assert waiting.account.id
    st.markdown(_("**{email}**: one more step. Type the six digits that your authenticator app shows now, or one of your "
                  "recovery codes.").format(email=escape(waiting.account.email)))
    with st.form("second_factor", border=False):
        code = st.text_input(_("Code"), autocomplete="one-time-code", max_chars=40)
        tried = st.form_submit_button(_("Sign in"), type="primary", width="stretch")
    st.caption(_("No phone and no codes? An owner of your clinic can help, on the page Team."))
    st.button(_("Start again"), type="tertiary", on_click=state.forget_pending)
    if not tried:
        return
    try:
        right = factors.check(waiting.account.id, code, email=waiting.account.email, address=guard.address())
        if right:
            state.forget_pending()
            if tokens.digest(auth.find_account(waiting.account.email).password_hash) != waiting.proof:
                raise NotSignedIn(_("Your password was changed meanwhile. Please sign in with the new one."))
            _let_in(waiting.account, keep=waiting.keep)
            st.rerun()
    except AppError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.error(_("This code doesn't match, or was used already. Wait for the next one and try again."), icon=":material/error:")


# a new clinic --------------------------------------------------------------------------------------------------------


def _sign_up() -> None:
    with st.form("sign_up", border=False):
        full_name = st.text_input(_("Full name"), autocomplete="name")
        clinic_name = st.text_input(_("Clinic name"), autocomplete="organization")
        codes = list(countries.names())
        country = st.selectbox(_("Country"), codes, format_func=countries.names().__getitem__,
                               index=codes.index(countries.guess(st.context.timezone, st.context.locale)))
        email = st.text_input(_("Email"), autocomplete="email")
        password = st.text_input(_("Password"), type="password", autocomplete="new-password",
                                 help=_("At least 12 characters. A few unrelated words work well."))
        if not st.form_submit_button(_("Create clinic"), type="primary", width="stretch"):
            return
    try:
        account = auth.sign_up(full_name=full_name, clinic_name=clinic_name, email=email, password=password, country=country,
                               time_zone=st.context.timezone or "", address=guard.address())
    except AppError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.query_params.clear()
    state.set_ticket(auth.issue_ticket(account, keep=False))
    st.rerun()
