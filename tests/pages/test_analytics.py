"""Analytics: who may see it, what the address says, what stands there when there is nothing."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import streamlit as st

from lib import answer_ratings, db, periods, workflows
from tests.lib.asking import settled
from tests.pages.conftest import texts
from ui import sections


def ask(who, times=1, cost="0.25"):
    with db.scope(who) as scope:
        for _ in range(times):
            scope.run("""
                insert into ai_calls (clinic_id, message_id, user_id, route, status, cost_usd, cost_source, latency_ms, finished_at)
                values (:clinic_id, :message, :me, 'provider', 'ok', :cost, 'price_table', 900, now())
                """, message=uuid4(), me=who.user_id, cost=Decimal(cost))


def metrics(at):
    return {metric.label: metric.value for metric in at.metric}


def test_owner_and_manager_read_the_same_figures(open_page, alice, bob, mona):
    ask(alice, 2)
    ask(bob, 1)
    for who in (alice, mona):
        at = open_page(who, "analytics")
        assert not at.exception
        assert metrics(at) == {"Messages": "3", "Without provider": "0%", "Active staff": "2"}
        assert metrics(open_page(who, "analytics", section="cost"))["AI cost"] == "$0.75"
        assert metrics(open_page(who, "analytics", section="speed"))["Typical answer"] == "900 ms"


def test_an_outsider_sees_the_empty_page(open_page, alice, charlie):
    ask(alice, 2)
    assert "No questions in this period" in texts(open_page(charlie, "analytics"))


@pytest.mark.parametrize("role", ["clinician", "receptionist"])
def test_clinicians_and_receptionists_see_no_figures(open_page, alice, hire, role):
    ask(alice, 2)
    with suppress(ValueError):  # what AppTest says of a page that is not in the menu
        at = open_page(hire(alice, role, "Some Body"), "analytics")
        assert "Messages" not in metrics(at)
        assert not at.get("plotly_chart")


def test_an_empty_clinic_is_told_what_the_page_waits_for(open_page, alice):
    at = open_page(alice, "analytics")
    assert "begin with the first question" in texts(at)
    assert not at.metric


def test_a_preset_is_kept_in_the_url(open_page, alice):
    ask(alice)
    at = open_page(alice, "analytics", period="7d")
    today = periods.today(alice)
    assert f"{today - timedelta(days=6):%-d %b %Y}" in texts(at)
    at.button_group(key="period").set_value("90d").run()
    assert at.query_params["period"] == "90d"
    assert f"{today - timedelta(days=89):%-d %b %Y}" in texts(at)


def test_free_dates_are_kept_in_the_url(open_page, alice):
    ask(alice)
    today = periods.today(alice)
    at = open_page(alice, "analytics", **{"from": str(today - timedelta(days=2)), "to": str(today)})
    assert metrics(at)["Messages"] == "1"
    at.date_input[0].set_value((today - timedelta(days=9), today - timedelta(days=5))).run()
    assert at.query_params["from"] == str(today - timedelta(days=9))
    assert "No questions in this period" in texts(at)


def test_choosing_dates_begins_with_the_period_on_the_screen(open_page, alice):
    at = open_page(alice, "analytics", period="7d")
    at.button_group(key="period").set_value("dates").run()
    today = periods.today(alice)
    assert (at.query_params["from"], at.query_params["to"]) == (str(today - timedelta(days=6)), str(today))
    assert at.date_input[0].value == (today - timedelta(days=6), today)


@pytest.mark.parametrize("query", [
    {"period": "yesteryear"}, {"period": "<script>"}, {"from": "x", "to": "y"}, {"from": "2026-01-01"}, {"from": "2026-02-30", "to": "2026-03-01"},
    {"from": "2026-05-02", "to": "2026-05-01"}, {"from": "2026-05-02", "to": "9999-12-31"}, {"from": "0001-01-01", "to": "0001-01-02"},
    {"from": "2001-01-01", "to": "2026-01-02"}])
def test_an_address_that_makes_no_sense_falls_back_with_a_hint(open_page, alice, query):
    at = open_page(alice, "analytics", **query)
    assert not at.exception
    assert "These are the last 30 days" in texts(at)
    assert f"{periods.today(alice) - timedelta(days=29):%-d %b %Y}" in texts(at)


@pytest.mark.parametrize("section", sections.names())
def test_every_section_has_its_address_and_its_figures(open_page, alice, section):
    ask(alice, 3)
    at = open_page(alice, "analytics", section=section, period="7d")
    assert not at.exception
    assert len(at.metric) >= 2
    assert "only a few questions" in texts(at)
    assert at.button_group(key="section").value == section


def test_a_section_is_chosen_beside_the_period(open_page, alice):
    ask(alice)
    at = open_page(alice, "analytics", period="7d", section="nonsense")
    at.button_group(key="section").set_value("speed").run()
    assert (at.query_params["section"], at.query_params["period"]) == ("speed", "7d")
    at.button_group(key="period").set_value("90d").run()
    assert (at.query_params["section"], at.query_params["period"]) == ("speed", "90d")


def test_what_patients_cost_is_read_when_it_is_opened(open_page, alice, mona):
    with db.scope(alice) as scope:
        patient = scope.value("""
            insert into patients (clinic_id, user_id, changed_by, full_name) values (:clinic_id, :me, :me, 'Dear Ann') returning id
            """, me=alice.user_id)
        scope.run("""
            insert into ai_calls (clinic_id, message_id, user_id, patient_id, route, status, cost_usd, cost_source, latency_ms)
            values (:clinic_id, uuidv7(), :me, :patient, 'provider', 'ok', 1, 'provider', 5)
            """, me=alice.user_id, patient=patient)
    at = open_page(mona, "analytics", section="people")
    assert "Dear Ann" not in str(at)
    at.session_state["table_patients"] = True
    at.run()
    assert any("Dear Ann" in html.proto.body for html in at.get("html"))


def test_texts_without_a_match_are_not_offered_to_managers(open_page, alice, mona):
    ask(alice)
    assert "The newest questions" in str([one.label for one in open_page(alice, "analytics", section="knowledge").expander])
    assert "The newest questions" not in str([one.label for one in open_page(mona, "analytics", section="knowledge").expander])


def test_an_owner_reads_why_answers_were_not_helpful_and_a_manager_is_not_offered_it(open_page, alice, mona):
    asked = settled(workflows.ask(alice, None, "What is a <i>filling</i>?"))
    with db.scope(alice) as scope:
        answer_ratings.rate(scope, asked.answer_id, helpful=False, reason="Too long <b>")
    assert "not helpful" not in str([one.label for one in open_page(mona, "analytics", section="knowledge").expander])
    at = open_page(alice, "analytics", section="knowledge")
    assert "Too long" not in str(at)
    at.session_state["table_reasons"] = True
    at.run()
    shown, = [html.proto.body for html in at.get("html") if "Too long" in html.proto.body]
    assert "Too long &lt;b&gt;" in shown
    assert "To: “What is a &lt;i&gt;filling&lt;/i&gt;?” · Knowledge base · Alice Adams · " in shown


def test_the_label_names_the_zone_of_its_days(open_page, alice):
    assert "days of Europe/Berlin" in texts(open_page(alice, "analytics"))


def test_a_table_opens_behind_its_chart(open_page, alice):
    ask(alice, 2)
    at = open_page(alice, "analytics", period="7d")
    assert not at.dataframe
    at.session_state["table_messages"] = True
    at.run()
    assert at.dataframe[0].value["All"].sum() == 2


def test_a_download_is_audited_in_the_name_of_who_asked(open_page, alice, mona, monkeypatch):
    ask(alice)
    offered = {}
    monkeypatch.setattr(type(st.context), "ip_address", "127.0.0.1")
    monkeypatch.setattr("streamlit.download_button", lambda label, data, name, *_rest, **_more: offered.update({name: data}))
    at = open_page(mona, "analytics", period="7d", section="cost")
    at.session_state["table_cost"] = True
    at.run()
    lines = offered["cost.csv"]().splitlines()
    assert lines[0] == "Day,Measured (USD),Estimated (USD),Calls without a price,Budget (USD)"
    assert lines[-1] == f"{periods.today(mona)},0.25000000,0,0,"
    with db.scope(alice) as scope:
        assert scope.value("""
            select row_count from audit_log
            where clinic_id = :clinic_id and action = 'export' and resource = 'analytics' and resource_id = 'cost' and user_id = :mona
            """, mona=mona.user_id) == 7
