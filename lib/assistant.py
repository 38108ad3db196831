"""How a question becomes an answer: the clinic's settings, the cache, the knowledge base, a provider, and the bill in the end.

The red flags stand before all of this (lib/workflows.py), and nothing here is needed for them.
"""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog

from lib import (
    advice,
    ai,
    answer_cache,
    article_reviews,
    assistant_settings,
    audit,
    auth,
    budgets,
    chats,
    clinic_articles,
    db,
    emergencies,
    knowledge,
    patients,
    prices,
    prompts,
    providers,
    workers,
)
from lib.ai import Consultation, Request
from lib.articles import Article
from lib.assistant_settings import AssistantSettings
from lib.calls import Call, Ending
from lib.chats import Message
from lib.clinic_articles import ClinicArticle
from lib.db import Scope
from lib.errors import AppError, Invalid, SetUpError, Unavailable
from lib.events import Done, Stop
from lib.identity import Identity
from lib.patients import Patient
from lib.prices import Price
from lib.prompts import Context, Extract, Turn
from lib.providers import Provider
from lib.redaction import Redactor, Subject
from lib.texts import _

log = structlog.get_logger()

PATIENCE = (0.2, 1.0, 3.0)  # seconds between tries to save an answer while the database is away
UNPRICED = Decimal("0.02")  # USD that a call holds of the budget where nobody knows its price
OWN = "own:"  # before the id of a clinic's own article, in place of a slug
GREETING = ({"role": "user", "content": "Answer with the word OK."},)
SAME_CONVERSATION = timedelta(minutes=30)  # of general questions, whose thread never ends
PLACEHOLDER = re.compile(r"\[[a-z ]+\]")  # what lib/redaction.py leaves
MODEL = "model"  # in place of a rule set, where a provider raised the alarm


@dataclass(frozen=True)
class Question:
    """`tier`: what the red-flag check says of it by now. `again`: somebody wants another answer than the one there is.
    `declared`: who asked has stated that no patient is in danger now."""

    id: UUID
    thread_id: UUID
    patient_id: UUID | None
    text: str
    tier: str | None
    rule_set: str
    again: bool = False
    declared: bool = False


@dataclass(frozen=True)
class Plan:
    """An answer on its way: who gives it, what it may cost, and what is told beside it."""

    request: Request
    call: Call
    facts: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    cache_key: bytes | None = None
    limit_usd: Decimal = Decimal(0)


def begin(scope: Scope, question: Question, began: float) -> workers.Answering:
    """The answer's row, and the job that will write it: start it once the transaction is over."""
    plan = _plan(scope, question)
    consultation = plan.request.consultation
    answer_id = chats.start_answer(scope, question.id, plan.call, consultation.messages if consultation else None)
    settle = _Settlement(scope.identity, question, answer_id, plan)
    return workers.Answering(answer_id, scope.identity.user_id, ai.answer(plan.request), settle, ai.known(plan.call.route), began,
                             plan.request.stop if consultation else None)


# who answers ---------------------------------------------------------------------------------------------------------


def _plan(scope: Scope, question: Question) -> Plan:
    """Knowledge first where it is enough: a general question that an article answers costs nothing and leaves nobody."""
    decided = assistant_settings.get(scope)
    patient = patients.read(scope, question.patient_id) if question.patient_id else None
    redactor = Redactor(_subject(patient) if patient else None)
    masked = redactor.redact(question.text)
    article = _find_article(scope, PLACEHOLDER.sub(" ", masked))
    if not assistant_settings.available(decided) or (article and not patient and not (question.again or question.declared)):
        return _built_in(scope, question, article, decided)
    try:
        return _with_provider(scope, question, decided, Known(patient, article, redactor, masked))
    except SetUpError as error:  # a key that can't be read: the operator's to mend, and no reason to leave a question alone
        log.error("provider's key can't be read", clinic_id=str(scope.identity.clinic_id), error=type(error).__name__)
        return _built_in(scope, question, article, decided, why_not="unavailable")


def _find_article(scope: Scope, text: str) -> Article | None:
    """The clinic's own or a built-in one, the latter with the name of whoever reviewed it here."""
    found = knowledge.find(scope, text, clinic_articles.active(scope))
    if isinstance(found, ClinicArticle):
        return Article(f"{OWN}{found.id}", found.title, scope.identity.language, (), (), found.body, (), "",
                       found.updated_at.date(), None, None)
    return article_reviews.stamped(scope, found) if found else None


def _built_in(scope: Scope, question: Question, article: Article | None, decided: AssistantSettings,
              why_not: str = "") -> Plan:
    request = Request(question.text, article, question.tier == "U", scope.identity.emergency_number, why_not=why_not)
    price = _price(scope, decided) if article and not why_not and assistant_settings.available(decided) else None
    return Plan(request, _call(scope, question, ai.route(request), article), facts_of(article), price)


@dataclass(frozen=True)
class Known:
    """What is known around a question, and what masks it. `masked`: the question as it may leave."""

    patient: Patient | None
    article: Article | None
    redactor: Redactor
    masked: str


def _with_provider(scope: Scope, question: Question, decided: AssistantSettings, known: Known) -> Plan:
    provider, article = assistant_settings.provider(decided), known.article
    consultation = Consultation(provider, known.masked, _context(scope, question, known))
    key = _cache_key(question, consultation)
    kept = answer_cache.find(scope, key) if key and not question.again else None
    if kept:
        return _from_cache(scope, question, article, kept)
    price, amount = _price(scope, decided), UNPRICED
    if price:
        amount = price.cost(_tokens(sum(len(message["content"]) for message in consultation.messages)), providers.LONGEST_ANSWER)
    held_on = budgets.reserve(scope, amount, decided.daily_budget_usd)
    if held_on is None:
        return _built_in(scope, question, article, decided, why_not="budget")
    call = _call(scope, question, "provider", article)
    call = replace(call, provider=provider.name if provider else "service", model=provider.model if provider else None,
                   redactions=known.redactor.counts, budget_day=held_on, reserved_usd=amount)
    request = Request(question.text, article, question.tier == "U", scope.identity.emergency_number, consultation,
                      declared=question.declared)
    return Plan(request, call, facts_of(article), price, key, decided.daily_budget_usd)


def _from_cache(scope: Scope, question: Question, article: Article | None, kept: answer_cache.Kept) -> Plan:
    """A hit costs nothing, and tells what it saved."""
    request = Request(question.text, article, False, scope.identity.emergency_number, kept=kept.content, saved_usd=kept.cost_usd)
    return Plan(request, _call(scope, question, "cache", article), {**facts_of(article), **kept.metadata})


def _call(scope: Scope, question: Question, route: str, article: Article | None) -> Call:
    return Call(route, question.tier, question.rule_set, article.slug if article else None, scope.identity.language)


def _cache_key(question: Question, consultation: Consultation) -> bytes | None:
    """None: this answer is for this question alone."""
    if question.patient_id or question.tier or consultation.context.history or consultation.context.notes:
        return None
    return answer_cache.key(consultation.provider.model if consultation.provider else "service", consultation.messages)


def _price(scope: Scope, decided: AssistantSettings) -> Price | None:
    """Without unsealing a key: a price needs an address and a model."""
    provider = Provider(decided.base_url, "", decided.model) if decided.base_url and decided.model else providers.installed()
    return prices.find(scope, provider.name, provider.model, budgets.day_of(scope)) if provider else None


# what leaves the clinic ----------------------------------------------------------------------------------------------


def _subject(patient: Patient) -> Subject:
    ids = tuple(filter(None, (str(patient.id), patient.external_id)))
    return Subject(patient.full_name, patient.date_of_birth, patient.phone, patient.email, ids)


def _context(scope: Scope, question: Question, known: Known) -> Context:
    """Notes are masked before they are cut, so that no half of a name at the cut escapes."""
    notes = known.patient.notes if known.patient else None
    written = f"{notes.alerts}\n{notes.medical_notes}".strip() if notes else ""
    turns = [turn for turn in chats.turns_before(scope, question.thread_id, question.id, limit=prompts.HISTORY)
             if question.patient_id or turn.created_at > datetime.now(UTC) - SAME_CONVERSATION]
    return Context(known.redactor.redact(written)[:prompts.NOTES],
                   tuple(_turn(turn, known.redactor) for turn in turns if turn.content),
                   (Extract(known.article.title, known.article.body),) if known.article else (), scope.identity.emergency_number)


def _turn(message: Message, redactor: Redactor) -> Turn:
    return Turn(message.role, redactor.redact(message.content)[:prompts.TURN])


def facts_of(article: Article | None) -> dict[str, Any]:
    """What the answer says about where it comes from, as it stood when it was given."""
    if article is None:
        return {}
    return {"title": article.title, "source_note": article.source_note, "own": article.slug.startswith(OWN),
            "drafted_on": article.drafted_on.isoformat(),
            "reviewed_on": article.reviewed_on.isoformat() if article.reviewed_on else None,
            "reviewed_by": article.reviewed_by,
            "sources": [{"organisation": source.organisation, "title": source.title, "url": source.url,
                         "read_on": str(source.read_on)} for source in article.sources]}


# trying it out -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What a provider said to a word of greeting. `reason`: why it said nothing, in a sentence."""

    model: str
    seconds: float
    reason: str = ""


def try_out(identity: Identity) -> Trial:
    """One short call to whom this clinic would ask, with nothing of the clinic in it."""
    with db.scope(identity) as scope:
        auth.require(identity, "clinic.settings")
        provider = assistant_settings.provider(assistant_settings.get(scope))
        audit.record(scope, "try_out", "assistant")
    if provider is None:
        raise Invalid(_("There is no provider to try. Enter the address and key of your own."))
    began = time.monotonic()
    done = next(event for event in providers.converse(provider, GREETING, Stop()) if isinstance(event, Done))
    cut = "" if done.status == "ok" else _("The answer did not end properly.")
    reason = advice.apology(done.problem) if done.problem else cut
    return Trial(done.model or provider.model, time.monotonic() - began, reason)


# the end -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Settlement:
    """Writes the answer, the bill and the budget, waiting out a database that is away for a moment; what stays open is the
    sweep's."""

    identity: Identity
    question: Question
    answer_id: UUID
    plan: Plan

    def __call__(self, ending: Ending) -> None:
        for pause in (*PATIENCE, None):
            try:
                with db.scope(self.identity) as scope:
                    self._write(scope, replace(ending, done=_billed(scope, ending, self.plan)))
                return
            except Unavailable:
                if pause is None:
                    break
                time.sleep(pause)
            except AppError as error:
                log.error("answer not saved", message_id=str(self.answer_id), error=type(error).__name__)
                return
        log.error("answer not saved", message_id=str(self.answer_id), error="Unavailable")

    def _write(self, scope: Scope, ending: Ending) -> None:
        facts = dict(self.plan.facts)
        if ending.done.raised == "E" and ending.billed:
            facts |= {"categories": [MODEL]}
        written = chats.finish(scope, self.answer_id, self.plan.call, ending, facts)
        if written.message and ending.done.raised == "E":
            emergencies.raise_alarm(scope, self.question.id, categories=[MODEL], rule_set=MODEL)
        if written.bill and self.plan.call.budget_day and self.plan.call.reserved_usd is not None:
            self._settle_budget(scope, ending.done, self.plan.call.budget_day, self.plan.call.reserved_usd)
        if written.message and self.plan.cache_key and ending.done.status == "ok" and not ending.done.raised:
            kept = answer_cache.Kept(ending.content, {"model": ending.done.model}, ending.done.cost_usd)
            answer_cache.keep(scope, self.plan.cache_key, kept)

    def _settle_budget(self, scope: Scope, done: Done, day: date, reserved: Decimal) -> None:
        """What nobody can price counts as what was held for it."""
        cost = (reserved if done.billed else Decimal(0)) if done.cost_usd is None else done.cost_usd
        budgets.settle(scope, day, reserved, cost, self.plan.limit_usd)
        budgets.watch_installation(scope)


def _billed(scope: Scope, ending: Ending, plan: Plan) -> Done:
    """The provider's own figure first, else its tokens by the price of the day; no price, no figure. Whom the assistant's own
    service has asked is known only now."""
    done, price = ending.done, plan.price
    if plan.request.why_not == "budget" and done.status == "ok":
        done = replace(done, status="budget_blocked")
    if plan.call.route == "kb" and price:
        prompt, reply = _tokens(len(prompts.VOICE) + len(ending.content)), _tokens(len(ending.content))
        return replace(done, saved_usd=price.cost(prompt, reply))
    if plan.call.route != "provider" or done.cost_source:
        return done
    if not done.billed:
        return replace(done, cost_usd=Decimal(0), cost_source="none")
    if price is None and done.provider and done.model:
        price = prices.find(scope, done.provider, done.model, budgets.day_of(scope))
    if price is None or done.tokens_in is None or done.tokens_out is None:
        return done
    return replace(done, cost_usd=price.cost(done.tokens_in, done.tokens_out, done.tokens_cached), price=price.snapshot(),
                   cost_source="price_table" if done.usage_source == "provider" else "estimated")


def _tokens(characters: int) -> int:
    return math.ceil(characters / 4)
