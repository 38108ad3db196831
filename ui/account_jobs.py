"""One's own long jobs of the last week: how far each is, and the way to stop it."""

from uuid import UUID

import streamlit as st

from lib import auth, db, long_jobs
from lib.errors import AppError
from lib.identity import Identity
from lib.long_jobs import LongJob
from lib.texts import _
from ui import guard, job_progress, menu, state, widgets
from ui.markdown import escape

SHOWN = 5


def section(identity: Identity) -> None:
    """Nothing for somebody who began none."""
    with db.scope(identity) as scope:
        found = long_jobs.mine(scope, limit=SHOWN)
    if not found:
        return
    st.subheader(_("Jobs"), anchor=False)
    for job in found:
        with st.container(key=f"job_{job.id}", border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(_describe(job, identity), width="stretch")
            if job.open and not job.cancelled:
                st.button(_("Cancel"), key=f"cancel_{job.id}", on_click=_cancel, args=(job.id,))
            elif job.kind == "export" and job.status == "done" and auth.may(identity, "clinic.export"):
                st.page_link(menu.page("clinic"), label=_("To the file"), icon=":material/arrow_forward:", icon_position="right")


def _describe(job: LongJob, identity: Identity) -> str:
    states = {"waiting": _("waits for its turn"), "running": _("running"), "done": _("done"), "stopped": _("stopped"),
              "failed": _("failed")}
    kinds = {"import": _("Import"), "export": _("Export")}
    facts = [states[job.status], job_progress.count(job.kind, job.done, job.total), widgets.when(job.created_at, identity)]
    return f"**{kinds[job.kind]}** {escape(job.name)}  \n:small[{' · '.join(facts)}]"


def _cancel(job_id: UUID) -> None:
    try:
        with db.scope(guard.act("account.own")) as scope:
            long_jobs.cancel(scope, job_id)
    except AppError as error:
        return state.notify(str(error), ":material/info:")
    state.notify(_("It stops after the rows it is at."))
