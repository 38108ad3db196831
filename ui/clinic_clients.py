"""Programs that the owner has let in: a table of them, and the dialogs that let one in and shut one out."""

from html import escape as in_html
from uuid import UUID

import streamlit as st

from lib import api_clients, db, drafts, team
from lib.api_clients import Client, Wanted
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, kept, roles, state, widgets
from ui.markdown import escape

FIELDS = ("client:name", "client:networks")


def section(clients: list[Client], identity: Identity) -> None:
    """One element for all of them: a page costs the same with one and with fifty."""
    st.subheader(_("API clients"), anchor=False)
    if clients:
        st.html(_table(clients, identity))
    else:
        st.caption(_("None yet. A program, such as a booking site, gets rights, addresses and a limit of its own."))
    with st.container(horizontal=True, key="client_actions"):
        if st.button(_("Let a program in"), icon=":material/key:", key="add_client"):
            _add()
        if any(client.revoked_at is None for client in clients) and st.button(_("Revoke"), icon=":material/key_off:",
                                                                              key="revoke_client"):
            _choose()


# the table -----------------------------------------------------------------------------------------------------------


def _table(clients: list[Client], identity: Identity) -> str:
    heading = "".join(f"<th scope='col'>{label}</th>" for label in (_("Client"), _("May"), _("From"), _("Last used")))
    rows = "".join(_row(client, identity) for client in sorted(clients, key=lambda one: one.revoked_at is not None))
    return f"<table class='trail' role='table'><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>"


def _row(client: Client, identity: Identity) -> str:
    made = _("let in by {name}, {moment}").format(name=client.made_by, moment=widgets.moment(client.created_at, identity))
    limit = _("{n} requests in 15 minutes").format(n=f"{client.request_limit:,}")
    cells = ((client.name, made), (roles.name(client.role), ", ".join(client.scopes)),
             (", ".join(client.networks) or _("everywhere"), limit), (_last_use(client, identity), ""))
    return f"<tr>{''.join(_cell(*cell) for cell in cells)}</tr>"


def _cell(text: str, below: str) -> str:
    small = f"<small>{in_html(below)}</small>" if below else ""
    return f"<td><bdi>{in_html(text)}</bdi>{small}</td>"


def _last_use(client: Client, identity: Identity) -> str:
    if client.revoked_at:
        return _("revoked {moment}").format(moment=widgets.when(client.revoked_at, identity))
    if client.last_used_at is None:
        return _("not used yet")
    return _("used {moment}").format(moment=widgets.when(client.last_used_at, identity))


# letting in ----------------------------------------------------------------------------------------------------------


@st.dialog(_("Let a program in"), on_dismiss="rerun")
def _add() -> None:
    identity = guard.require("clinic.settings")
    kept.begin(identity, dict.fromkeys(FIELDS, ""))
    place = st.empty()
    with place.container():
        role = st.selectbox(_("Role"), team.ROLES, team.ROLES.index("receptionist"), format_func=roles.name, key="client_role")
        with st.form("client_form", border=False):
            wanted = _fields(role)
            problem = st.empty()
            if not st.form_submit_button(_("Let it in"), type="primary"):
                return
    try:
        token = _let_in(wanted)
    except AppError as error:
        kept.keep(identity, "client:name", wanted.name)
        kept.keep(identity, "client:networks", "\n".join(wanted.networks))
        problem.error(escape(str(error)), icon=":material/info:")
        return
    with place.container():
        _show(wanted.name, token)


def _fields(role: str) -> Wanted:
    name = st.text_input(_("Name"), key=kept.key("client:name"), autocomplete="off", placeholder=_("Booking site"))
    scopes = st.multiselect(_("May"), api_clients.offered(role), key=f"client_scopes_{role}",
                            help=_("What this role may do, as docs/api.md names it. A program needs few of these."))
    networks = st.text_area(_("Only from these addresses"), key=kept.key("client:networks"), height=80, placeholder="203.0.113.7",
                            help=_("One address or network per line; empty: from everywhere."))
    limit = st.number_input(_("Requests in 15 minutes"), 1, api_clients.MOST_REQUESTS, 1000, 100)
    return Wanted(name, role, scopes, networks.splitlines(), limit)


def _let_in(wanted: Wanted) -> str:
    with db.scope(guard.act("clinic.settings")) as scope:
        token = api_clients.add(scope, wanted)[1]
        drafts.discard_texts(scope, list(FIELDS))
    return token


def _show(name: str, token: str) -> None:
    st.markdown(_("**{name}** shows this secret with each request: `Authorization: Bearer …`").format(name=escape(name)))
    st.code(token, language=None, wrap_lines=True)
    st.caption(_("Shown this once, and kept nowhere: copy it into the program now. If it is lost, revoke it and make another."))


# shutting out --------------------------------------------------------------------------------------------------------


@st.dialog(_("Revoke an API client"))
def _choose() -> None:
    identity = guard.require("clinic.settings")
    with db.scope(identity) as scope:
        live = [client for client in api_clients.find(scope) if client.revoked_at is None]
    chosen = st.selectbox(_("Client"), live, format_func=lambda client: _told_apart(client, identity), key="client_chosen")
    if chosen is None:
        return
    st.markdown(_("It is refused from its next request on. This can't be undone; to let it in again, make a new one."))
    if st.button(_("Revoke for good"), type="primary", key=f"revoke_{chosen.id}"):
        _revoke(chosen.id, chosen.name)
        st.rerun()


def _told_apart(client: Client, identity: Identity) -> str:
    """Two may have one name."""
    return f"{client.name} · {widgets.moment(client.created_at, identity)}"


def _revoke(client_id: UUID, name: str) -> None:
    try:
        with db.scope(guard.act("clinic.settings")) as scope:
            api_clients.revoke(scope, client_id)
        state.notify(_("{name} is shut out.").format(name=name), ":material/key_off:")
    except AppError as error:
        state.notify(str(error), ":material/info:")
