"""What surrounds every page: style, navigation by role, who is signed in, the way out."""

from urllib.parse import quote
from uuid import UUID

import streamlit as st

from lib import auth, quarantine
from lib.identity import Identity
from lib.texts import _
from ui import bridge, guard, menu, roles, sign_in, state
from ui.markdown import escape

# In the page itself: Streamlit would fetch a Material icon from another host, and media needs a session.
ICON = "data:image/svg+xml," + quote(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='8' fill='#0f766e'/>"
    "<path d='M11 8c3 0 3 1.5 5 1.5S18 8 21 8c4 0 4.500 5 3 9-1 3-1 8-3 8s-2-6-5-6-3 6-5 6"
    "-2-5-3-8c-1.500-4-1-9 3-9z' fill='#fff'/></svg>")


def navigation(identity: Identity | None) -> st.Page:
    """The page of this address. Signed out, every address shows the sign-in form, so that a link survives it.

    What a role may not open is not in its menu, but answers at its address: with a refusal, which goes on record.
    """
    if identity is None:
        doors = [st.Page(sign_in.show, title=title, url_path=file, default=file == "today")
                 for file, title, *_rest in menu.pages()]
        return st.navigation(doors, position="hidden")
    sections: dict[str, list[st.Page]] = {}
    for file, _title, _icon, permission, section in menu.pages():
        shown = bool(section) and auth.may(identity, permission)
        sections.setdefault(section if shown else _("Clinic"), []).append(menu.page(file, hidden=not shown))
    return st.navigation(sections)


def warn_of_copy() -> None:
    """Whoever meant to open the clinic's own records has to see that these are not."""
    taken_at = quarantine.copied()
    if taken_at:
        st.warning(_("This is a restored copy of {moment} (UTC), not released yet. It sends no mail and asks no AI provider. If "
                     "you did not expect to see this, write nothing here and ask your operator.").format(
            moment=f"{taken_at:%Y-%m-%d %H:%M}"), icon=":material/history:")


def surround(identity: Identity) -> None:
    """The sidebar, the bridge, and what the last page wanted to say."""
    bridge.mount(identity)
    with st.sidebar.container(key="whoami"):
        st.markdown(f":small[**{escape(identity.clinic_name)}**  \n{escape(identity.full_name)} · {roles.name(identity.role)}]")
        if identity.clinics > 1:
            _switch(identity)
        st.button(_("Sign out"), icon=":material/logout:", type="tertiary", on_click=state.leave)
    notice = state.take_notice()
    if notice:
        st.toast(escape(notice.text), icon=notice.icon)


def _switch(identity: Identity) -> None:
    """One click to each other clinic of this person."""
    for place in auth.workplaces(identity):
        if not place.current:
            st.button(escape(place.name), icon=":material/swap_horiz:", key=f"clinic_{place.id}", type="tertiary",
                      help=_("Work in this clinic, as {role}.").format(role=roles.name(place.role)),
                      on_click=_change_clinic, args=(place.id,))


def _change_clinic(clinic_id: UUID) -> None:
    auth.switch_clinic(guard.act("account.own"), clinic_id)
