"""What can be done with an answer: another one, thumbs with a reason, copy, into the notes, and what was sent for it."""

import html
from collections.abc import Callable
from uuid import UUID

import streamlit as st

from lib import answer_ratings, auth, chats, db, drafts, workflows
from lib.chats import Message
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import clipboard, guard, kept, state, thread_tools
from ui.markdown import escape


def offer(message: Message, identity: Identity, name: str, *, again: bool) -> None:
    """One menu below each finished answer; an emergency has its own buttons, and here only what was
    sent before a provider saw it, and another answer once it was stated to be a general question."""
    options = {} if message.running else _options(message, identity, again)
    if not options:
        return
    chosen = st.menu_button(_("More"), list(options), key=f"act_{message.id}", icon=_icon(message), type="tertiary",
                            format_func=lambda name: options.get(name, name))
    if chosen == "copy":
        _copy(message, name)
    elif chosen:
        ACTIONS[chosen](message)


def _icon(message: Message) -> str:
    """What this person thought of it stays in sight."""
    return {True: ":material/thumb_up:", False: ":material/thumb_down:", None: ":material/more_horiz:"}[message.helpful]


def _options(message: Message, identity: Identity, again: bool) -> dict[str, str]:
    left = message.metadata.get("route") == "provider" and message.metadata.get("left", True)
    sent = {"sent": _(":material/outgoing_mail: What was sent …")} if left else {}
    another = {"again": _(":material/refresh: Another answer")} if again else {}
    if message.metadata.get("emergency"):
        return another | sent
    offered = {
        "good": _(":material/thumb_up: Helpful"),
        "bad": _(":material/thumb_down: Not helpful …"),
        "copy": _(":material/content_copy: Copy"),
        "notes": _(":material/note_add: Save to notes")
        if message.patient_id and auth.may(identity, "patients.notes") else "",
    }
    return another | {name: label for name, label in offered.items() if label} | sent


def _again(message: Message) -> None:
    def ask() -> None:
        workflows.ask_again(guard.require(_permission(message)), message.id)
        state.first_page(thread_tools.place(message.patient_id))  # where the new answer is
    _attempt(ask, "")


def _good(message: Message) -> None:
    _rate(message.id, _permission(message), True, "")


def _bad(message: Message) -> None:
    _ask_why(message.id, _permission(message))


@st.dialog(_("What was wrong with this answer?"), on_dismiss="rerun")
def _ask_why(message_id: UUID, permission: str) -> None:
    field = f"rate:{message_id}"
    identity = guard.require(permission)
    with db.scope(identity) as scope:
        said = answer_ratings.my_reason(scope, message_id)
    kept.begin(identity, {field: said})
    with st.form(f"rate_{message_id}", border=False):
        reason = st.text_area(_("Reason"), max_chars=1000, key=kept.key(field),
                              placeholder=_("Wrong, unclear, too long, beside the question …"))
        st.caption(_("The clinic's owners read it, with your name."))
        if st.form_submit_button(_("Send"), type="primary"):
            _rate(message_id, permission, False, reason)


def _rate(message_id: UUID, permission: str, helpful: bool, reason: str) -> None:
    def write() -> None:
        with db.scope(guard.act(permission)) as scope:
            answer_ratings.rate(scope, message_id, helpful=helpful, reason=reason)
            drafts.discard_texts(scope, [f"rate:{message_id}"])
    _attempt(write, _("Thank you, noted."))


def _copy(message: Message, name: str) -> None:
    clipboard.put(message.content.replace(workflows.PLACEHOLDER, name or workflows.PLACEHOLDER))
    st.toast(_("Copied."), icon=":material/content_copy:")


def _notes(message: Message) -> None:
    _attempt(lambda: workflows.save_to_notes(guard.act("patients.notes"), message.id), _("Added to the patient's notes."))


def _sent(message: Message) -> None:
    _show_sent(message.id, _permission(message))


@st.dialog(_("What was sent to the AI provider"), width="large", on_dismiss="rerun")
def _show_sent(message_id: UUID, permission: str) -> None:
    """Word for word, after masking. A dialog runs by itself and keeps what it is given, so that is an id and no text."""
    with db.scope(guard.require(permission)) as scope:
        turns, facts = chats.sent(scope, message_id), chats.get(scope, message_id).metadata
    if not turns:
        st.info(_("The words were not kept."), icon=":material/info:")
        return
    masked = ", ".join(f"{escape(name.replace('_', ' '))} {n}" for name, n in facts.get("redactions", {}).items() if n)
    st.caption(_("Masked: {list}").format(list=masked) if masked else _("Nothing had to be masked."))
    st.html("".join(f"<h3 class='label'>{html.escape(turn['role'].capitalize())}</h3>"
                    f"<div class='typed sent' dir='auto'>{html.escape(turn['content'])}</div>" for turn in turns))


def _attempt(act: Callable[[], object], done: str) -> None:
    try:
        act()
    except AppError as error:
        st.error(escape(str(error)), icon=":material/info:")
        return
    if done:
        state.notify(done)
    st.rerun()


def _permission(message: Message) -> str:
    return "chat.patient" if message.patient_id else "chat.ask"


ACTIONS = {"again": _again, "good": _good, "bad": _bad, "notes": _notes, "sent": _sent}
