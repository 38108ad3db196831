"""The pieces of Today. Every number and every row is a link to where it comes from."""

import streamlit as st

from lib import auth
from lib.identity import Identity
from lib.texts import _, count
from lib.today import Counts, Known, Question
from ui import menu, widgets
from ui.markdown import escape


def show(identity: Identity, counts: Counts) -> None:
    """One card per figure this role works with."""
    cards = [(permission, card) for permission, card in (
        ("emergencies.read", _emergencies), ("patients.read", _patients), ("chat.ask", _questions),
        ("analytics.read", _spend)) if auth.may(identity, permission)]
    with st.grid(len(cards), min_column_width=150, gap="small", key="cards"):
        for _permission, card in cards:
            card(identity, counts)


def alerts(standing: int) -> None:
    st.page_link(menu.page("alerts"), icon=":material/notifications_active:",
                 label=count("**{n} alert stands.** See what it is", "**{n} alerts stand.** See what they are", standing))


def _card(name: str, label: str, value: str, note: str, page: str, link: str) -> None:
    with st.container(border=True, height="stretch", key=f"card_{name}"):
        st.metric(label, value, note, delta_color="off", delta_arrow="off")
        _onwards(page, link)


def _onwards(page: str, label: str) -> None:
    st.page_link(menu.page(page), label=label, icon=":material/arrow_forward:", icon_position="right")


def _emergencies(identity: Identity, counts: Counts) -> None:
    """Whoever sees only what they raised reads so: a quiet card of theirs is no all-clear for the clinic."""
    waiting, all_of_them = counts.oldest_emergency, auth.may(identity, "chat.patient")
    calm = _("Nobody is waiting.") if all_of_them else _("Nothing you raised is waiting.")
    note = _("Oldest since {time}").format(time=widgets.when(waiting, identity)) if waiting else calm
    label = _("Open emergencies") if all_of_them else _("Emergencies I raised")
    _card("alarm" if waiting else "emergencies", label, str(counts.open_emergencies), note, "emergencies",
          _("Answer for them") if waiting else _("See all"))


def _patients(_identity: Identity, counts: Counts) -> None:
    note = _("{n} added in the last 7 days").format(n=f"{counts.added_this_week:,}")
    _card("patients", _("Patients"), f"{counts.patients:,}", note,
          "patients", _("Open the list"))


def _questions(identity: Identity, counts: Counts) -> None:
    whose = _("Questions today") if auth.may(identity, "analytics.read") else _("My questions today")
    _card("questions", whose, str(counts.questions), _("{n} yesterday").format(n=counts.questions_yesterday), "chat",
          _("Ask the assistant"))


def _spend(_identity: Identity, counts: Counts) -> None:
    note = _("Every call is priced.")
    if counts.unpriced:
        note = count("{n} call without a known price", "{n} calls without a known price", counts.unpriced)
    _card("spend", _("AI cost today"), f"${counts.spend:,.2f}", note, "analytics", _("See the figures"))


def patients(identity: Identity, known: list[Known], total: int) -> None:
    if not known:
        hint = _("Open one from the list.") if total else _("Add your first patient, or import them from a file.")
        with st.container(key="empty_patients", horizontal_alignment="center"):
            widgets.empty(_("Nobody opened yet."), hint=hint, icon="groups")
            _onwards("patients", _("Go to patients"))
    with st.container(key="rows_patients"):
        for patient in known:
            st.page_link(menu.page("patient"), query_params={"patient": str(patient.id)}, width="stretch",
                         label=f"**{escape(patient.full_name)}** :gray[{widgets.when(patient.at, identity)}]")


def questions(identity: Identity, asked: list[Question]) -> None:
    if not asked:
        with st.container(key="empty_questions", horizontal_alignment="center"):
            widgets.empty(_("No questions yet."), hint=_("The assistant answers from the knowledge base, with its sources."),
                          icon="forum")
            _onwards("chat", _("Ask the first one"))
    with st.container(key="rows_questions"):
        for question in asked:
            who = escape(question.full_name) if question.full_name else _("General question")
            told = f"{widgets.when(question.created_at, identity)} · {escape(question.asked_by)}"
            st.page_link(menu.page("chat"), width="stretch",
                         label=f"**{who}** :gray[{told}] :small[{escape(shorten(question.content))}]",
                         query_params={"patient": str(question.patient_id)} if question.patient_id else None)


def shorten(text: str, length: int = 110) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[:length].rstrip() + " …"
