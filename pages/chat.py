"""The assistant: about one patient (?patient=…), or a general question."""

import streamlit as st

from lib import archived_months, chats, db, patients
from lib.texts import _
from ui import conversation, guard, patient_more, question_draft, running_answer, state, widgets

identity = guard.require("chat.ask")
patient_id = state.patient_in_address()
if patient_id:
    guard.require("chat.patient")
with db.scope(identity) as scope:
    patient = patients.read(scope, patient_id) if patient_id else None
    if patient:
        patient_more.lead_on(patient)
    thread_id = chats.view(scope, patient_id)
    away = archived_months.of_thread(scope, patient_id)
    reading = conversation.read(scope, patient_id, thread_id) if thread_id else None
    question_draft.bring_back(scope, patient_id)

conversation.in_sight(identity, patient)
conversation.ask_box(patient)
if away:
    st.caption(archived_months.messages_missing(away, identity))
beginning = st.empty()
if reading is None:
    with beginning.container():
        widgets.empty(_("Nothing asked here yet."), icon="forum",
                      hint=_("Ask what a patient would ask, or begin with one of these."))
    conversation.suggest(patient_id)
    st.stop()
name = patient.full_name if patient else ""
conversation.history(patient_id, thread_id, identity, reading, name)
if reading.running:
    running_answer.follow(reading.running, identity, name, reading.asked)
else:
    conversation.suggest(patient_id, [message.content for message in reading.page.rows])
