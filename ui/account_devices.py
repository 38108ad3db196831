"""Where one is signed in, and the way to end it there."""

import streamlit as st

from lib import account
from lib.account import Device
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _, count
from ui import guard, state, widgets
from ui.markdown import escape

SHOWN = 10  # the last used; who signs in from programs has hundreds, and each is drawn on every rerun


def section(identity: Identity) -> None:
    st.subheader(_("Devices"), anchor=False)
    devices = account.sessions(identity)
    for device in devices if len(devices) <= SHOWN or _all(len(devices)) else devices[:SHOWN]:
        with st.container(key=f"device_{device.key}", border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(_describe(device, identity), width="stretch")
            if not device.current:
                st.button(_("Sign out"), key=f"sign_out_{device.key}", on_click=_sign_out, args=(device.id,))
    if len(devices) > 1:
        st.button(_("Sign out all other devices"), icon=":material/logout:", on_click=_sign_out_others)


def _all(number: int) -> bool:
    return st.toggle(_("Show all {n} devices").format(n=number), key="all_devices")


def _describe(device: Device, identity: Identity) -> str:
    seen = _("this device") if device.current else _("last used {moment}").format(moment=widgets.when(device.seen_at, identity))
    facts = [escape(device.address or _("unknown address")), escape(device.clinic_name), seen]
    return f"**{escape(device.name)}**  \n:small[{' · '.join(facts)}]"


def _sign_out(session_id: bytes) -> None:
    try:
        account.sign_out(guard.act("account.own"), session_id)
    except AppError as error:
        return state.notify(str(error), ":material/info:")
    state.notify(_("Device signed out."))


def _sign_out_others() -> None:
    try:
        ended = account.sign_out_others(guard.act("account.own"))
    except AppError as error:
        return state.notify(str(error), ":material/info:")
    state.notify(count("{n} device signed out.", "{n} devices signed out.", ended))
