"""Who works here, on the screen: the list, and the dialog in which one colleague is managed."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st

from lib import auth, db, resets, search_words, team
from lib.errors import AppError
from lib.identity import Identity
from lib.team import Member
from lib.texts import _
from ui import guard, roles, state, widgets
from ui.markdown import escape

PAGE = 25
FEW = 10


def browse(members: list[Member], managed: list[str], identity: Identity) -> None:
    """With a search where there are more than one sees at a glance."""
    found = _search(members) if len(members) > FEW else members
    if not found:
        widgets.empty(_("Nobody by this name works here."), hint=_("Former members have a list of their own."), icon="person_off")
    pages, rows = -(-len(found) // PAGE), st.container(key="rows_members")
    page = st.pagination(pages, key=f"team_page_{pages}") if pages > 1 else 1
    with rows:
        if len(members) == 1:
            st.caption(_("Nobody else works here yet. Invite your colleagues: each gets a link and chooses their own password."))
        for member in found[(page - 1) * PAGE:page * PAGE]:
            _row(member, managed, identity)


def _search(members: list[Member]) -> list[Member]:
    """Every word begins one of the name, or the email, without minding accents and capitals."""
    term = st.text_input(_("Search"), key="team_search", type="search", live=True, label_visibility="collapsed",
                         placeholder=_("Search name or email")) or ""
    wanted = search_words.fold(term).split()
    return [member for member in members if all(any(word.startswith(start) for word in _words(member)) for start in wanted)]


def _words(member: Member) -> list[str]:
    return search_words.fold(f"{member.display_name} {member.email or ''}").split()


def _row(member: Member, managed: list[str], identity: Identity) -> None:
    you = f" · {_('you')}" if member.user_id == identity.user_id else ""
    since = _("{role} since {day}").format(role=roles.name(member.role), day=_day(member.created_at, identity))
    with st.container(key=f"person_{member.user_id}", horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape(member.display_name)}**{you}  \n:small[{_told_apart(since, member)}]", width="stretch")
        if member.role in managed and st.button(_("Manage"), key=f"manage_{member.user_id}", icon=":material/tune:"):
            manage(member.user_id)


def _told_apart(facts: str, member: Member) -> str:
    """Two people may have one name, and no two have one address."""
    return f"{facts} · {escape(member.email)}" if member.email else facts


def former(members: list[Member], managed: list[str], identity: Identity) -> None:
    """Who has left; whoever may have removed them can bring them back."""
    with st.expander(_("Former members"), icon=":material/history:"):
        st.caption(_("Their names stay on what they wrote. Reactivated, they have their former role again, sign in anew, and "
                     "wait for their credentials to be approved again."))
        for member in members:
            with st.container(key=f"person_{member.user_id}", horizontal=True, vertical_alignment="center"):
                left = _("{role} until {day}").format(role=roles.name(member.role), day=_day(_ended(member), identity))
                st.markdown(f"**{escape(member.display_name)}**  \n:small[{_told_apart(left, member)}]", width="stretch")
                if member.role in managed:
                    st.button(_("Reactivate"), key=f"reactivate_{member.user_id}", icon=":material/undo:", on_click=_reactivate,
                              args=(member,))


def _ended(member: Member) -> datetime:
    assert member.ended_at
    return member.ended_at


def _day(at: datetime, identity: Identity) -> str:
    return widgets.day(at.astimezone(ZoneInfo(identity.time_zone)).date(), identity)


def _reactivate(member: Member) -> None:
    try:
        with db.scope(guard.act("team.manage")) as scope:
            team.reactivate(scope, member.user_id)
        state.notify(_("{name} works here again.").format(name=member.display_name))
    except AppError as error:
        state.notify(str(error), ":material/info:")


# one colleague -------------------------------------------------------------------------------------------------------


@st.dialog(_("Manage a member"), on_dismiss="rerun")
def manage(user_id: UUID) -> None:
    identity = guard.require("team.manage")
    with db.scope(identity) as scope:
        member, managed = team.get(scope, user_id), team.roles(scope)
    st.markdown(f"**{escape(member.display_name)}**  \n:small[{escape(member.email or '')}]")
    _section(_role, member, managed)
    _section(_sign_out, member)
    if auth.may(identity, "team.reset") and user_id != identity.user_id:
        _section(_help, member)
    _section(_deactivate, member)


def _section(show: Callable[..., None], *about: object) -> None:
    """A refusal stands where it was met, and takes nothing below it away."""
    try:
        show(*about)
    except AppError as error:
        st.error(escape(str(error)), icon=":material/info:")


def _role(member: Member, managed: list[str]) -> None:
    role = st.selectbox(_("Role"), managed, managed.index(member.role), format_func=roles.name, key=f"role_{member.user_id}")
    if role == member.role:
        return
    st.caption(about(role))
    if st.button(_("Change role"), type="primary", key=f"change_role_{member.user_id}"):
        with db.scope(guard.act("team.manage")) as scope:
            team.change_role(scope, member.user_id, role)
        _done(_("{name} is {role} now.").format(name=member.display_name, role=roles.name(role)))


def _sign_out(member: Member) -> None:
    if not _offer(_("Sign out of this clinic"), _("On every device, within seconds. They stay signed in to other clinics, and "
                                                  "can sign in here again."), f"sign_out_{member.user_id}", "logout"):
        return
    with db.scope(guard.act("team.manage")) as scope:
        team.sign_out(scope, member.user_id)
    _done(_("{name} is signed out of this clinic on every device.").format(name=member.display_name))


def _deactivate(member: Member) -> None:
    if not _offer(_("Deactivate"), _("Signs them out within seconds and keeps them out of this clinic. What they wrote stays. "
                                     "Under “Former members” they can be reactivated."),
                  f"deactivate_{member.user_id}", "person_off"):
        return
    with db.scope(guard.act("team.manage")) as scope:
        team.deactivate(scope, member.user_id)
    _done(_("{name} is deactivated. Under “Former members” they can be reactivated.").format(name=member.display_name))


def _help(member: Member) -> None:
    """For whoever has lost the way in. The second factor does not come back, so taking it away asks for the name."""
    with st.expander(_("Forgotten password or lost phone"), icon=":material/key:"):
        if _offer(_("Password link"), _("For you to hand over. It works once, for 30 minutes, and its use signs them out. The "
                                        "second factor stays."), f"password_{member.user_id}", "link"):
            with db.scope(guard.act("team.reset")) as scope:
                token = team.reset_password_link(scope, member.user_id)
            hand_over(resets.link(token, origin()))
        st.markdown(_("**Remove the second factor** :small[Their password alone lets them in then, and they are signed out. This "
                      "can't be undone: they set up a new one.]"))
        typed = st.text_input(_("Type the full name to confirm"), key=f"confirm_{member.user_id}")
        if st.button(_("Remove second factor"), key=f"factor_{member.user_id}", icon=":material/phonelink_erase:",
                     disabled=not _same(typed, member.display_name)):
            with db.scope(guard.act("team.reset")) as scope:
                team.reset_factor(scope, member.user_id)
            _done(_("The second factor of {name} is removed.").format(name=member.display_name))


def _same(typed: str, name: str) -> bool:
    return search_words.fold(" ".join(typed.split())) == search_words.fold(name)


def _offer(label: str, explanation: str, key: str, icon: str) -> bool:
    """A button beside what it does."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"offer_{key}"):
        st.markdown(f":small[{explanation}]", width="stretch")
        return st.button(label, key=key, icon=f":material/{icon}:")


def origin() -> str:
    """Scheme and host as this person's own browser sees them, for a link that they hand over themselves."""
    url = urlsplit(st.context.url or "")
    return f"{url.scheme}://{url.netloc}"


def hand_over(link: str) -> None:
    st.code(link, language=None, wrap_lines=True)
    st.caption(_("Shown this once. Copy it and hand it over yourself, to nobody else."))


def _done(sentence: str) -> None:
    state.notify(sentence)
    st.rerun()


def about(role: str) -> str:
    return {
        "owner": _("Everything in the clinic: roles, settings, credentials, the record of who did what."),
        "manager": _("Analytics, contact data, receptionists. No medical notes, no chats."),
        "clinician": _("Patients with medical notes, the assistant, emergencies."),
        "receptionist": _("Contact data and an own thread of general questions. No medical notes."),
    }[role]
