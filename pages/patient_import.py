"""Import patients: choose a file, say what its columns mean, check, import, see what became of every row."""

from uuid import UUID

import streamlit as st

from lib import db, drafts, import_jobs, imports, long_jobs
from lib.errors import Invalid
from lib.identity import Identity
from lib.imports import Report
from lib.long_jobs import LongJob
from lib.texts import _
from ui import guard, import_steps, job_progress, markdown, state
from ui.state import Upload


def choose(identity: Identity) -> None:
    """Everything before the first row is written."""
    place = st.container()
    upload = chosen_file(identity)
    with place:
        import_steps.heading(1, _("File"), "done" if upload else "now", import_steps.describe(upload.file) if upload else "")
    if upload is None:
        import_steps.heading(2, _("Columns"), "ahead")
        import_steps.heading(3, _("Check and import"), "ahead")
        return
    mapping, order = columns(upload, identity)
    if upload.file.table and not mapping["full_name"]:
        st.warning(_("Choose the columns that hold the name. Several are joined in the order you choose them."))
        import_steps.heading(3, _("Check and import"), "ahead")
        return
    import_steps.preview(upload, mapping, order)
    check(upload, mapping, order)


def chosen_file(identity: Identity) -> Upload | None:
    uploaded = st.file_uploader(_("A table saved as CSV or text, or a FHIR R4 export as JSON or NDJSON"), key="import_file",
                                help=_("Any delimiter and encoding. An Excel workbook is saved as CSV (UTF-8) first."))
    if uploaded is None:
        return None
    kept = state.upload(uploaded.file_id)
    encoding = state.shown(import_steps.encoding_key(uploaded.file_id)) or (kept.guess if kept else "")
    headless = state.shown(import_steps.headless_key(uploaded.file_id, encoding))
    if kept and kept.encoding == encoding and headless in (None, kept.headless):
        return kept
    try:
        with st.spinner(_("Reading the file …")):
            data = uploaded.getvalue()
            file = imports.read(data, uploaded.name, encoding, identity.country, headless)
            return state.keep_upload(uploaded.file_id, file, data)
    except Invalid as error:
        st.error(markdown.escape(str(error)), icon=":material/error:")
        return None


def columns(upload: Upload, identity: Identity) -> tuple[dict[str, list[str]], str]:
    if upload.file.table is None:
        import_steps.heading(2, _("Columns"), "done", _("A FHIR export says itself what is what."))
        return {}, ""
    guessed = _("Without headings, please choose.") if upload.headless else _("Guessed from the headings.")
    import_steps.heading(2, _("Columns"), "now", f"{guessed} {_('Several columns of one field are joined.')}")
    return import_steps.columns(upload, identity)


def check(upload: Upload, mapping: dict[str, list[str]], order: str) -> None:
    import_steps.heading(3, _("Check and import"), "now", _("Nothing is written before you press Import."))
    choices = (mapping, order)
    with st.container(horizontal=True, key="import_actions"):
        begin = st.button(_("Import"), type="primary", icon=":material/upload:")
        look = st.button(_("Check without importing"), icon=":material/fact_check:")
    if begin:
        with db.scope(guard.act("patients.import")) as scope:
            drafts.discard_texts(scope, [import_steps.draft(upload)] if upload.file.table else [])
            import_jobs.begin(scope, upload.file, upload.data, mapping, order)
        state.drop_upload()
        st.rerun()
    if look:
        check_only(upload, Report(read_rows(upload, mapping, order), dry_run=True), choices)
    if upload.check and upload.choices == choices:
        import_steps.counts(upload.check)
        import_steps.details(upload.check, "check")


def read_rows(upload: Upload, mapping: dict[str, list[str]], order: str) -> list[imports.Row]:
    with st.spinner(_("Reading the rows …")):
        return list(imports.rows(upload.file, mapping, order))


def check_only(upload: Upload, report: Report, choices: object) -> None:
    place = st.empty()
    with place.container():
        bar = st.container()
        st.button(_("Cancel"))
        with bar:
            import_steps.advance(report, _("Checking …"))
    place.empty()
    upload.check, upload.choices = report, choices


def watch(job: LongJob) -> None:
    import_steps.heading(1, _("File"), "done", job.name)
    import_steps.heading(2, _("Columns"), "done")
    import_steps.heading(3, _("Check and import"), "now", _("It goes on when you leave this page."))
    bar = st.container()
    st.button(_("Cancel"), on_click=cancel, args=(job.id,), help=_("What is imported by then stays."))
    with bar:
        job_progress.follow(job, "patients.import")


def cancel(job_id: UUID) -> None:
    with db.scope(guard.act("patients.import")) as scope:
        long_jobs.cancel(scope, job_id)


def conclude(identity: Identity, job: LongJob) -> None:
    report = read_report(identity, job)
    import_steps.heading(1, _("File"), "done", job.name)
    import_steps.heading(2, _("Columns"), "done")
    import_steps.heading(3, _("Check and import"), "done" if job.status == "done" else "now")
    if job.status == "done":
        import_steps.heading(4, _("Done"), "done", _("Rows: {count}").format(count=f"{len(report):,}"))
    else:
        interrupted(job)
    import_steps.counts(report)
    import_steps.details(report, "done")
    with st.container(horizontal=True, key="import_actions"):
        if st.button(_("See the patients"), type="primary", icon=":material/groups:"):
            st.switch_page("../pages/patients.py")
        st.download_button(_("Download the report"), report.csv(stopped=job.status != "done").encode("utf-8-sig"),
                           "import-report.csv", "text/csv", icon=":material/download:", on_click="ignore")
        st.button(_("Import another file"), icon=":material/upload:", on_click=dismiss, args=(job.id,))


def read_report(identity: Identity, job: LongJob) -> Report:
    kept = state.import_report(job.id, job.done)
    if kept:
        return kept
    with db.scope(identity) as scope:
        return state.keep_import_report(import_jobs.report(scope, job))


def interrupted(job: LongJob) -> None:
    reason = job.problem or (_("Stopped.") if job.cancelled else _("It could not be finished."))
    text = _("{done} of {total} rows are done; nothing after them was imported.").format(
        done=f"{job.done:,}", total=f"{job.total:,}")
    st.warning(f"{markdown.escape(reason)} {text}", icon=":material/pause_circle:")
    st.button(_("Go on"), icon=":material/play_arrow:", on_click=go_on, args=(job.id,))


def go_on(job_id: UUID) -> None:
    with db.scope(guard.act("patients.import")) as scope:
        long_jobs.go_on(scope, job_id)


def dismiss(job_id: UUID) -> None:
    with db.scope(guard.act("patients.import")) as scope:
        long_jobs.dismiss(scope, job_id)


identity = guard.require("patients.import")
st.title(_("Import patients"))
with db.scope(identity) as scope:
    job = long_jobs.latest(scope, "import")
with st.container(key="import"):
    if job is None:
        # One element, whose place the next stage's first one takes: so all of it goes at once, not when that run ends.
        with st.container():
            choose(identity)
    elif job.open:
        watch(job)
    else:
        conclude(identity, job)
