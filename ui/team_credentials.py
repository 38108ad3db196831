"""Credentials on the screen: the clinician's own form, and what an owner decides about everybody's."""

from functools import partial
from uuid import UUID

import streamlit as st

from lib import auth, credentials, db, drafts
from lib.credentials import Credentials
from lib.errors import AppError
from lib.identity import Identity
from lib.texts import _
from ui import guard, kept, state, widgets
from ui.markdown import escape

COLOURS = {"pending": "orange", "approved": "green", "rejected": "red", "suspended": "red"}
ENDINGS = ["pdf", "png", "jpg", "jpeg"]


# the clinician -------------------------------------------------------------------------------------------------------


def form(identity: Identity) -> None:
    """One's own, where the role may have them. For the page Account."""
    if not auth.may(identity, "credentials.submit"):
        return
    with db.scope(identity) as scope:
        found = credentials.own(scope)
    st.subheader(_("Credentials"), anchor=False)
    if found is None:
        st.caption(_("An owner approves them before you can sign clinical entries."))
    else:
        _state(found, identity)
    if found is None or found.status != "suspended":
        _fields(found, identity)


def _state(found: Credentials, identity: Identity) -> None:
    st.markdown(" ".join([_badge(found.status), f":small[{_history(found, identity)}]"]))
    if found.reason:
        st.info(escape(found.reason), icon=":material/comment:")
    if found.file_name:
        _download(found, _("Your document"))


def _fields(found: Credentials | None, identity: Identity) -> None:
    stored = {"credentials:specialization": found.specialization if found else "",
              "credentials:licence": found.licence_number if found else ""}
    kept.begin(identity, stored, form="credentials")
    kept.notice(identity, "credentials", list(stored))
    with st.form("credentials_form"):
        specialization = st.text_input(_("Specialization"), key=kept.key("credentials:specialization"))
        licence = st.text_input(_("Licence number"), key=kept.key("credentials:licence"))
        file = st.file_uploader(_("Document"), ENDINGS, max_upload_size=5, key=f"credentials_file_{found and found.submitted_at}",
                                help=_("PDF, PNG or JPEG, up to 5 MB. Only you and the clinic's owners can open it."))
        if found and found.status == "approved":
            st.caption(_("A change has to be approved again."))
        if not st.form_submit_button(_("Submit for approval"), type="primary"):
            return
    try:
        document = credentials.read_document(file.name, file.getvalue()) if file else None
        with db.scope(guard.act("credentials.submit")) as scope:
            credentials.submit(scope, specialization, licence, document)
            drafts.discard_texts(scope, list(stored))
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    state.start_over("credentials")
    state.notify(_("Your credentials are saved."))
    st.rerun()


# the owner -----------------------------------------------------------------------------------------------------------


def review(identity: Identity) -> None:
    """Everybody's, those that wait for a decision first."""
    with db.scope(identity) as scope:
        found = credentials.listed(scope)
    if not found:
        st.caption(_("Nobody has submitted any. Clinicians do so on their page Account."))
    with st.container(key="rows_credentials"):
        for one in found:
            _row(one)


def _row(found: Credentials) -> None:
    with st.container(key=f"person_credentials_{found.user_id}", horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape(found.display_name)}** {_badge(found.status)}  \n:small[{_facts(found)}]", width="stretch")
        if st.button(_("Review"), key=f"review_{found.user_id}", icon=":material/badge:",
                     type="primary" if found.status == "pending" else "secondary"):
            decide(found.user_id)


@st.dialog(_("Review credentials"), on_dismiss="rerun")
def decide(user_id: UUID) -> None:
    identity = guard.require("credentials.decide")
    with db.scope(identity) as scope:
        found = credentials.get(scope, user_id)
    form = f"review_{user_id}"
    version = state.began_with(form, found.version, kept.key(f"review:{user_id}"))
    st.markdown(f"**{escape(found.display_name)}**")
    st.markdown(f"{_badge(found.status)} :small[{_history(found, identity)}]  \n{_facts(found)}")
    if found.reason:
        st.info(escape(found.reason), icon=":material/comment:")
    if found.file_name:
        _download(found, found.file_name)
    else:
        st.caption(_("No document was submitted."))
    _buttons(found, form, version, identity)


def _buttons(found: Credentials, form: str, version: int, identity: Identity) -> None:
    labels = {"approved": _("Lift the suspension") if found.status == "suspended" else _("Approve"), "rejected": _("Reject"),
              "suspended": _("Suspend")}
    steps = credentials.STEPS[found.status]
    reason = ""
    if set(steps) - {"approved"}:
        field = f"review:{found.user_id}"
        kept.begin(identity, {field: ""})
        reason = st.text_area(_("Reason"), key=kept.key(field), max_chars=1000,
                              help=_("Needed to reject or suspend. The clinician reads it."))
    with st.container(horizontal=True):
        for status in steps:
            if st.button(labels[status], key=f"{status}_{found.user_id}",
                         type="primary" if status == "approved" else "secondary"):
                _decide(found, status, reason, form, version)
    if not steps:
        st.caption(_("Rejected credentials wait for a new submission."))


def _decide(found: Credentials, status: str, reason: str, form: str, version: int) -> None:
    try:
        with db.scope(guard.act("credentials.decide")) as scope:
            credentials.decide(scope, found.user_id, status, reason, version=version)
            drafts.discard_texts(scope, [f"review:{found.user_id}"])
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        if version != found.version:
            st.button(_("Show what is stored now"), on_click=partial(state.start_over, form))
        return
    state.notify(_("{name}: {status}.").format(name=found.display_name, status=_names()[status].lower()))
    st.rerun()


def _download(found: Credentials, label: str) -> None:
    st.link_button(escape(label), f"/api/v1/credentials/{found.user_id}/document", icon=":material/download:")


def _facts(found: Credentials) -> str:
    return f"{escape(found.specialization)} · {_('licence {number}').format(number=escape(found.licence_number))}"


def _history(found: Credentials, identity: Identity) -> str:
    if found.decided_by and found.decided_at:
        return _("by {name}, {moment}").format(name=escape(found.decided_by), moment=widgets.moment(found.decided_at, identity))
    return _("submitted {moment}").format(moment=widgets.moment(found.submitted_at, identity))


def _badge(status: str) -> str:
    return f":{COLOURS[status]}-badge[{_names()[status]}]"


def _names() -> dict[str, str]:
    return {"pending": _("Waiting"), "approved": _("Approved"), "rejected": _("Rejected"), "suspended": _("Suspended")}
