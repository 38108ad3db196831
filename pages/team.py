"""Who works here, who is invited, and whose credentials are approved."""

import streamlit as st

from lib import auth, db, team
from lib.texts import _
from ui import guard, team_credentials, team_invitations, team_members

identity = guard.require("team.manage")
with db.scope(identity) as scope:
    everybody, invitations, managed = team.members(scope), team.invitations(scope), team.roles(scope)
members = [member for member in everybody if member.ended_at is None]
gone = [member for member in everybody if member.ended_at is not None]

with st.container(horizontal=True, vertical_alignment="center", key="team_head"):
    st.title(_("Team"), anchor=False)
    if st.button(_("Invite"), icon=":material/person_add:", type="primary", shortcut="n"):
        team_invitations.invite()
team_members.browse(members, managed, identity)

if invitations:
    st.subheader(_("Open invitations"), anchor=False)
    team_invitations.waiting(invitations, identity)
if auth.may(identity, "credentials.decide"):
    st.subheader(_("Credentials"), anchor=False)
    team_credentials.review(identity)
if gone:
    team_members.former(gone, managed, identity)
