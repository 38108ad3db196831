"""How far a long job is, while somebody looks on."""

import time
from itertools import chain, repeat

import streamlit as st

from lib import db, jobs, long_jobs
from lib.long_jobs import LongJob
from lib.texts import _
from ui import guard, state

LONG = 1.0
BEATS = 20 * [0.1] + 20 * [0.3]  # seconds between looks at a job: most are done in a few, the others need no hurry


def follow(job: LongJob, permission: str) -> None:
    """Watch a job until it ends. A click ends the watching, a reload begins it again; the job goes on by itself."""
    bar = st.progress(0.0, _("Waiting for its turn …"))
    for pause in chain(BEATS, repeat(LONG)):
        if not job.open:
            st.rerun()
        if job.status == "waiting" and pause == LONG and not jobs.state().workers:
            bar.progress(0.0, _("Nobody works on jobs right now. It begins once whoever runs Chairside starts a worker."))
        if job.status == "running":
            bar.progress(job.done / max(job.total, 1), count(job.kind, job.done, job.total))
        time.sleep(pause)
        state.touch()
        with db.scope(guard.watch(permission)) as scope:
            job = long_jobs.get(scope, job.id)


def count(kind: str, done: int, total: int) -> str:
    sentence = _("{done} of {total} tables") if kind == "export" else _("{done} of {total} rows")
    return sentence.format(done=f"{done:,}", total=f"{total:,}")
