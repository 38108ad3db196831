"""Asking the assistant and looking at what came of it."""

import threading
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sqlalchemy import text

from lib import assistant_settings, budgets, chats, db, workers, workflows
from lib.prices import Price

UNKNOWN = "Which planet has the most moons?"
FLASH = Price("127.0.0.1", "test-model", date(2026, 1, 1), Decimal("0.30"), Decimal("0.03"), Decimal("2.50"))
COST = Decimal("0.00046500")  # 300 in, 150 out


def switch(owner, **wanted):
    with db.scope(owner) as scope:
        decided = assistant_settings.get(scope)
        assistant_settings.amend(scope, replace(decided, **{"provider_on": True, "baa_on_file": True, **wanted}))


def ask(who, question=UNKNOWN, patient=None):
    return settled(workflows.ask(who, patient, question))


def wait(job, seen, timeout):
    """Until there is more text than `seen` characters or the row is written. Whether it is."""
    news, deadline = threading.Event(), time.monotonic() + timeout
    with job.telling(news.set):
        while not job.finished and len(job.text) <= seen and time.monotonic() < deadline:
            news.wait(deadline - time.monotonic())
            news.clear()
    return job.finished


def settled(asked):
    job = workers.find(asked.answer_id)
    if job:
        assert wait(job, 10 ** 9, 20)
        deadline = time.monotonic() + 20
        while workers.find(asked.answer_id) and time.monotonic() < deadline:
            time.sleep(0.01)
    return asked


def answer_of(who, asked):
    with db.scope(who) as scope:
        return chats.get(scope, asked.answer_id)


def call_of(who, asked):
    with db.scope(who) as scope:
        return scope.connection.execute(text("""
            select route, status, tier, provider, model_requested, model_used, provider_request_id, tokens_in, tokens_out,
                   usage_source, price, cost_usd, cost_source, saved_usd, reserved_usd, budget_day, redactions, rule_set
            from ai_calls where clinic_id = :clinic_id and message_id = :id
            """), {"clinic_id": who.clinic_id, "id": asked.answer_id}).one()


def day_of(who, limit=Decimal(100)):
    with db.scope(who) as scope:
        return budgets.today(scope, limit)
