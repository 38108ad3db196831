"""The dialog that verifies the chain of the audit log, and the verdict in words."""

import streamlit as st

from lib import audit_trail, db
from lib.audit_trail import Break, Verdict
from lib.identity import Identity
from lib.texts import _, count
from ui import guard, widgets


@st.dialog(_("Verify chain"))
def verify() -> None:
    identity = guard.require("audit.read")
    st.caption(_("Every row is sealed into a chain within a second. This computes all of it anew and names the first row that "
                 "was changed or removed since."))
    noted = st.text_input(_("Head noted after an earlier check (optional)"), key="audit_noted", max_chars=64).strip().lower()
    if st.button(_("Verify"), type="primary", key="audit_verify"):
        bar = st.progress(0.0, _("Computing every seal anew. Closing this stops it."))
        with db.scope(identity) as scope:
            verdict = audit_trail.verify(scope, noted, watch=lambda done, every: bar.progress(done / every))
        bar.empty()
        tell(verdict, noted, identity)


def tell(verdict: Verdict, noted: str, identity: Identity) -> None:
    if verdict.broken:
        st.error(f"{_broken(verdict.broken, identity)}  \n{_proved(verdict)}", icon=":material/gpp_bad:")
    else:
        st.success(_proved(verdict), icon=":material/verified_user:")
    if verdict.archived:
        st.info(count("Of {n} row only the seal was checked: its month is in an archive.",
                      "Of {n} rows only the seals were checked: their months are in archives.", verdict.archived),
                icon=":material/archive:")
    if noted and not verdict.passed:
        st.error(_("The chain does not pass through the head you noted: rows at its end were cut off since, or it was written "
                   "anew."), icon=":material/link_off:")
    elif noted:
        st.success(_("The chain passes through the head you noted."), icon=":material/link:")
    if verdict.head:
        st.markdown(_("Head of the chain"))
        st.code(verdict.head, language=None, wrap_lines=True)
        st.caption(_("Note it outside Chairside. Only a later check against it shows whether the newest rows were cut off "
                     "together with their seals."))


def _proved(verdict: Verdict) -> str:
    if not verdict.rows:
        return _("No row is proved whole yet.")
    if verdict.broken and verdict.broken.number:
        return count("{n} row before it is whole.", "{n} rows before it are whole.", verdict.rows)
    return count("{n} sealed row is whole.", "{n} sealed rows are whole.", verdict.rows)


def _broken(found: Break, identity: Identity) -> str:
    """Where the chain does not hold, and what that means."""
    sentence = {
        "changed": _("Row {number} of {at} was changed after it was sealed."),
        "missing_row": _("Row {number} was removed."),
        "missing_seal": _("Just before row {number}, rows or seals were removed, or put in another order."),
        "broken_chain": _("The seal of row {number} of {at} was rewritten or exchanged."),
        "unsealed": _("A row of {at} has no seal: it was added past Chairside, or the job that seals is not running."),
    }[found.why]
    at = widgets.moment(found.happened_at, identity) if found.happened_at else ""
    return sentence.format(number=f"{found.number or 0:,}", at=at) + " " + _("Its id is {id}.").format(id=found.audit_id)
