"""Invitations on the screen: the dialog that makes a link, and the links that still wait."""

import streamlit as st

from lib import db, drafts, mail, team
from lib.errors import AppError
from lib.identity import Identity
from lib.team import Open
from lib.texts import _
from ui import guard, kept, roles, state, team_members, widgets
from ui.markdown import escape


@st.dialog(_("Invite a colleague"), on_dismiss="rerun")
def invite() -> None:
    identity = guard.require("team.manage")
    with db.scope(identity) as scope:
        managed = team.roles(scope)
    kept.begin(identity, {"invite:email": ""})
    place = st.empty()
    with place.form("invite_form", border=False):
        email = st.text_input(_("Email"), key=kept.key("invite:email"), autocomplete="off",
                              help=_("The invitation works for this address alone."))
        offered = managed[::-1]
        role = st.radio(_("Role"), offered, format_func=roles.name, captions=[team_members.about(one) for one in offered])
        problem = st.empty()
        if not st.form_submit_button(_("Make the link"), type="primary"):
            return
    try:
        with db.scope(guard.act("team.manage")) as scope:
            token = team.invite(scope, email, role)
            drafts.discard_texts(scope, ["invite:email"])
    except AppError as error:
        kept.keep(identity, "invite:email", email)
        problem.error(escape(str(error)), icon=":material/info:")
        return
    with place.container():
        _show(email, role, token)


def _show(email: str, role: str, token: str) -> None:
    sentence = _("The link makes **{email}**, and nobody else, a member of this clinic ({role}). It works once, for 72 hours.")
    st.markdown(sentence.format(email=escape(email.strip()), role=roles.name(role)))
    if mail.is_on():
        st.caption(_("A mail with the link is on its way."))
    team_members.hand_over(team.invitation_link(token, team_members.origin()))


def waiting(invitations: list[Open], identity: Identity) -> None:
    with st.container(key="rows_invitations"):
        for invitation in invitations:
            _row(invitation, identity)


def _row(invitation: Open, identity: Identity) -> None:
    facts = [roles.name(invitation.role), _("from {name}").format(name=escape(invitation.invited_by)),
             _("until {moment}").format(moment=widgets.moment(invitation.expires_at, identity))]
    with st.container(key=f"person_{invitation.id}", horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape(invitation.email)}**  \n:small[{' · '.join(facts)}]", width="stretch")
        st.button(_("Withdraw"), key=f"withdraw_{invitation.id}", icon=":material/link_off:", on_click=_withdraw,
                  args=(invitation,))


def _withdraw(invitation: Open) -> None:
    try:
        with db.scope(guard.act("team.manage")) as scope:
            team.withdraw(scope, invitation.id)
        state.notify(_("The invitation of {email} is withdrawn.").format(email=invitation.email), ":material/link_off:")
    except AppError as error:
        state.notify(str(error), ":material/info:")
