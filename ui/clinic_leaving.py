"""All of a clinic as one file: asked for, made by a job, fetched, and gone within a day."""

from collections.abc import Callable
from datetime import date

import streamlit as st

from lib import archived_months, db, export_jobs, long_jobs
from lib.db import Scope
from lib.errors import AppError
from lib.identity import Identity
from lib.long_jobs import LongJob
from lib.texts import _
from ui import download, guard, job_progress, state, widgets
from ui.markdown import escape


def section(job: LongJob | None, away: dict[str, list[date]], identity: Identity) -> None:
    """`job`: one's newest export, unless it was put away. `away`: its archived months, or those of one that is made now."""
    st.subheader(_("Leaving, or a copy of everything"), anchor=False)
    st.markdown(_("One archive with a table (CSV) for patients, notes, histories, conversations, emergencies, costs, the team "
                  "and the audit log, and the documents behind licences. It is made in the background, kept for a day for "
                  "you alone, and recorded."))
    if any(away.values()):
        st.caption(archived_months.rows_missing(away, identity))
    with st.container(key="clinic_export"):
        if job and job.open:
            _watch(job)
        else:
            with st.container():  # as one, so that it goes when the watching begins, and not when that ends
                _settled(job, identity)


def _settled(job: LongJob | None, identity: Identity) -> None:
    if job is None:
        st.button(_("Export the whole clinic"), icon=":material/archive:", on_click=_act, args=(export_jobs.begin,))
    elif job.status == "done":
        _offer(job, identity)
    else:
        _interrupted(job)


def _watch(job: LongJob) -> None:
    bar = st.empty()
    if job.cancelled:
        st.caption(_("It stops after the rows it is at."))
    else:
        st.button(_("Cancel"), on_click=_act, args=(lambda scope: long_jobs.cancel(scope, job.id),))
    with bar:
        job_progress.follow(job, "clinic.export")


def _offer(job: LongJob, identity: Identity) -> None:
    made_at = widgets.when(job.finished_at or job.created_at, identity)
    st.success(_("Made {when}.").format(when=made_at), icon=":material/archive:")
    with st.container(horizontal=True):
        download.button(_("Download"), "/api/v1/clinic/export/file", {}, "clinic.zip")
        _delete(job, _("Delete it here"))
    st.caption(_("Keep it as carefully as the clinic's own records: it holds all of them, unencrypted."))


def _interrupted(job: LongJob) -> None:
    st.warning(escape(job.problem or (_("Stopped.") if job.cancelled else _("It could not be finished."))),
               icon=":material/pause_circle:")
    with st.container(horizontal=True):
        st.button(_("Go on"), icon=":material/play_arrow:", on_click=_act, args=(lambda scope: long_jobs.go_on(scope, job.id),))
        _delete(job, _("Delete what is there"))


def _delete(job: LongJob, label: str) -> None:
    st.button(label, icon=":material/delete:", type="tertiary", on_click=_act,
              args=(lambda scope: export_jobs.discard(scope, job.id),))


def _act(change: Callable[[Scope], object]) -> None:
    try:
        with db.scope(guard.act("clinic.export")) as scope:
            change(scope)
    except AppError as error:
        state.notify(str(error), ":material/info:")
