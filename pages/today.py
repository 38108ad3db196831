"""Today: what needs somebody now, and the way to where it is done."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import streamlit as st

from lib import assistant_settings, auth, budgets, db, today
from lib.texts import _
from ui import emergency_news, guard, today_cards, widgets

identity, opened = guard.require("today.read"), datetime.now(UTC)
reads_chat = auth.may(identity, "chat.ask")
with db.scope(identity) as scope:
    counts = today.count(scope)
    known = today.recently_opened(scope)
    questions = today.questions(scope) if reads_chat else []
    decided = assistant_settings.get(scope) if auth.may(identity, "analytics.read") else None
    budget = budgets.today(scope, decided.daily_budget_usd) if decided and decided.provider_on else None

now = datetime.now(UTC).astimezone(ZoneInfo(identity.time_zone))
st.title(_("Today"))
st.caption(widgets.weekday(now.date(), identity))
emergency_news.watch(identity, opened)
if budget:
    widgets.budget_notice(budget)
if counts.alerts:
    today_cards.alerts(counts.alerts)
today_cards.show(identity, counts)

left, right = st.columns(2, gap="large")
with left:
    st.subheader(_("Recently opened patients"))
    today_cards.patients(identity, known, counts.patients)
if reads_chat:
    with right:
        st.subheader(_("Questions of the last 24 hours"))
        today_cards.questions(identity, questions)
