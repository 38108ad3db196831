"""How a question becomes an answer: the clinic's settings, the cache, the knowledge base, or a provider. Its end is
lib/settlement.py's.

The red flags stand before all of this (lib/workflows.py), and nothing here is needed for them.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from lib import (
    advice,
    ai,
    answer_cache,
    answers,
    article_reviews,
    articles,
    assistant_settings,
    budgets,
    calls,
    chats,
    clinic_articles,
    first_aid,
    knowledge,
    patient_history,
    patients,
    prices,
    prompts,
    redaction_articles,
    settings,
)
from lib.ai import Consultation, Request
from lib.answering import Answering, Outside
from lib.articles import Article
from lib.assistant_settings import AssistantSettings
from lib.calls import Call, Ending
from lib.chats import Message
from lib.clinic_articles import ClinicArticle
from lib.db import Scope
from lib.errors import SetUpError, Unavailable
from lib.patient_history import Known as KnownAs
from lib.patients import Patient
from lib.prices import Price
from lib.prompts import Context, Extract, Turn
from lib.providers import Provider
from lib.redaction import Redactor, Subject
from lib.settlement import MODEL, Plan, Settlement

log = structlog.get_logger()

OWN = "own:"  # before the id of a clinic's own article, in place of a slug
SAME_CONVERSATION = timedelta(minutes=30)  # of general questions, whose thread never ends
PLACEHOLDER = re.compile(r"\[[a-z ]+\]")  # what lib/redaction.py leaves


@dataclass(frozen=True)
class Question:
    """`tier`: what the red-flag check says of it by now. `again`: somebody wants another answer than the one there is.
    `declared`: who asked has stated that no patient is in danger now; `signs`: what the alarm was about (lib/redflags.py).
    `at_once`: whoever asks wants it whole."""

    id: UUID
    thread_id: UUID
    patient_id: UUID | None
    text: str
    tier: str | None
    rule_set: str
    again: bool = False
    declared: bool = False
    signs: tuple[str, ...] = ()
    at_once: bool = False


def begin(scope: Scope, question: Question, began: float) -> Answering:
    """The answer's row, and the job that will write it: start it once the transaction is over. What is built in and wanted whole
    is written in this transaction, and its job has finished."""
    plan = _plan(scope, question)
    request, consultation = replace(plan.request, at_once=question.at_once), plan.request.consultation
    answer_id = answers.start(scope, question.id, plan.call, consultation.messages if consultation else None)
    in_name_of = replace(scope.identity, client=None)  # of whom a client acts for: it may be revoked before the answer has ended
    settlement = Settlement(in_name_of, question.id, answer_id, plan)
    is_whole = question.at_once and not consultation
    write = (lambda ending: settlement.settle(ending, scope)) if is_whole else settlement
    settle = partial(_settle, write, scope.identity.emergency_number)
    crowded = ai.answer(replace(request, crowded=True))
    outside = Outside(scope.identity.clinic_id, request.stop, settlement.keep, answers.wanted_to_end, crowded)
    job = Answering(answer_id, scope.identity.user_id, ai.answer(request), settle, ai.known(plan.call.route), began,
                    outside if consultation else None)
    if is_whole:
        job.run()
        if not job.finished:  # nor will its transaction: whoever asked is told, and asks again
            raise Unavailable
    return job


def _settle(write: Callable[[Ending], None], emergency_number: str, ending: Ending) -> None:
    """Whatever ended it, and however early: the safety net stands under what there is."""
    write(replace(ending, content=advice.with_safety_net(ending.content, emergency_number)))


# who answers ---------------------------------------------------------------------------------------------------------


def _plan(scope: Scope, question: Question) -> Plan:
    """Knowledge first where it is enough: a general question that an article answers costs nothing and leaves nobody."""
    decided = assistant_settings.get(scope)
    patient = patients.read(scope, question.patient_id) if question.patient_id else None
    redactor = Redactor(*_subjects(scope, patient, decided)) if patient else Redactor()
    masked = redactor.redact(question.text)
    signs, own = set(question.signs) - {MODEL}, clinic_articles.active(scope)
    article = _find_article(scope, PLACEHOLDER.sub(" ", masked), own, signs)
    if not assistant_settings.available(decided) or (article and not patient and not (question.again or question.declared)):
        return _built_in(scope, question, article, decided)
    try:
        further = _further(scope, PLACEHOLDER.sub(" ", masked), own, article) if article and not signs else ()
        return _with_provider(scope, question, decided, Known(patient, article, redactor, masked, further))
    except SetUpError as error:  # a key that can't be read: the operator's to mend, and no reason to leave a question alone
        log.error("provider's key can't be read", clinic_id=str(scope.identity.clinic_id), error=type(error).__name__)
        return _built_in(scope, question, article, decided, why_not="unavailable")


def _find_article(scope: Scope, text: str, own: Sequence[ClinicArticle], signs: Collection[str]) -> Article | None:
    """The clinic's own or a built-in one, the latter with the name of whoever reviewed it here. `signs`: of a danger that was
    declared general. Where only a provider saw one, nothing says which."""
    if signs:
        own = [article for article in own if first_aid.names((article.title, *article.other_names), signs)]
    found = knowledge.find(scope, text, own)
    if signs and isinstance(found, Article) and not first_aid.is_about(found.slug, signs):
        return None
    if isinstance(found, ClinicArticle):
        return _as_article(scope, found)
    return article_reviews.stamped(scope, found) if found else None


def _further(scope: Scope, text: str, own: Sequence[ClinicArticle], found: Article) -> tuple[Article, ...]:
    """What else the question names, for a provider that reads it beside the one found."""
    near = knowledge.beside(text, found, own)
    return tuple(_as_article(scope, one) if isinstance(one, ClinicArticle) else one for one in near)


def _as_article(scope: Scope, own: ClinicArticle) -> Article:
    return Article(f"{OWN}{own.id}", own.title, scope.identity.language, (), (), own.body, (), "", own.updated_at.date(), None,
                   None)


def _built_in(scope: Scope, question: Question, article: Article | None, decided: AssistantSettings,
              why_not: str = "") -> Plan:
    request = Request(question.text, article, question.tier == "U", scope.identity.emergency_number, why_not=why_not)
    price = _price(scope, decided) if article and not why_not and assistant_settings.available(decided) else None
    return Plan(request, _call(scope, question, ai.route(request), article), facts_of(article), price)


@dataclass(frozen=True)
class Known:
    """What is known around a question, and what masks it. `masked`: the question as it may leave; `further`: articles beside
    the one that answers it."""

    patient: Patient | None
    article: Article | None
    redactor: Redactor
    masked: str
    further: tuple[Article, ...] = ()

    @property
    def articles(self) -> list[Article]:
        return [*([self.article] if self.article else []), *self.further]


def _with_provider(scope: Scope, question: Question, decided: AssistantSettings, known: Known) -> Plan:
    provider, article = assistant_settings.provider(decided), known.article
    consultation = Consultation(provider, known.masked, _context(scope, question, known))
    key = _cache_key(question, consultation)
    kept = answer_cache.find(scope, key) if key and not question.again else None
    if kept:
        return _from_cache(scope, question, known, kept)
    price = _price(scope, decided)
    amount = prices.most(price, sum(len(message["content"]) for message in consultation.messages))
    held_on = budgets.reserve(scope, amount, decided.daily_budget_usd)
    if held_on is None:
        return _built_in(scope, question, article, decided, why_not="budget")
    call = _call(scope, question, "provider", article)
    call = replace(call, provider=provider.name if provider else calls.SERVICE, model=provider.model if provider else None,
                   redactions=known.redactor.counts, budget_day=held_on, reserved_usd=amount)
    request = Request(question.text, article, question.tier == "U", scope.identity.emergency_number, consultation,
                      declared=question.declared)
    return Plan(request, call, facts_of(article, known.further), price, key, decided.daily_budget_usd)


def _from_cache(scope: Scope, question: Question, known: Known, kept: answer_cache.Kept) -> Plan:
    """A hit costs nothing, and tells what it saved."""
    article = known.article
    request = Request(question.text, article, False, scope.identity.emergency_number, kept=kept.content, saved_usd=kept.cost_usd)
    return Plan(request, _call(scope, question, "cache", article), {**facts_of(article, known.further), **kept.metadata})


def _call(scope: Scope, question: Question, route: str, article: Article | None) -> Call:
    return Call(route, question.tier, question.rule_set, article.slug if article else None, scope.identity.language)


def _cache_key(question: Question, consultation: Consultation) -> bytes | None:
    """None: this answer is for this question alone. What was declared general had a red flag."""
    if question.patient_id or question.tier or question.declared or consultation.context.history or consultation.context.notes:
        return None
    provider = consultation.provider
    asked = (provider.base_url, provider.model) if provider else (settings.get().ai_service_url or "",)
    return answer_cache.key(asked, consultation.messages)


def _price(scope: Scope, decided: AssistantSettings) -> Price | None:
    """Without unsealing a key: a price needs an address and a model. None where the assistant's own service is asked: whom it
    asks is known when it has answered."""
    own = Provider(decided.base_url, "", decided.model) if decided.base_url and decided.model else None
    provider = own or assistant_settings.installed()
    return prices.find(scope, provider.name, provider.model, budgets.day_of(scope)) if provider else None


# what leaves the clinic ----------------------------------------------------------------------------------------------


def _subjects(scope: Scope, patient: Patient, decided: AssistantSettings) -> Iterator[Subject]:
    """Where something may leave, by each name they ever had, too: what was written then, about them or about whoever was merged
    into them, still says so."""
    yield _subject(patient)
    if assistant_settings.available(decided):
        yield from map(_subject, patient_history.known_as(scope, patient.id))


def _subject(known: Patient | KnownAs) -> Subject:
    ids = tuple(filter(None, (str(known.id), known.external_id)))
    return Subject(known.full_name, known.date_of_birth, known.phone, known.email, ids)


def _context(scope: Scope, question: Question, known: Known) -> Context:
    """Notes are masked before they are cut, so that no half of a name at the cut escapes."""
    notes = known.patient.notes if known.patient else None
    written = f"{notes.alerts}\n{notes.medical_notes}".strip() if notes else ""
    turns = [turn for turn in chats.turns_before(scope, question.thread_id, question.id, limit=prompts.HISTORY)
             if question.patient_id or turn.created_at > datetime.now(UTC) - SAME_CONVERSATION]
    return Context(known.redactor.redact(written)[:prompts.NOTES],
                   tuple(_turn(turn, known.redactor) for turn in turns if turn.content),
                   tuple(_extract(article, known.redactor) for article in known.articles), scope.identity.emergency_number)


def _extract(article: Article, redactor: Redactor) -> Extract:
    """What ships with us names nobody; what the clinic wrote itself may."""
    if not article.slug.startswith(OWN):
        return Extract(article.title, article.body)
    return Extract(redaction_articles.mask(article.title, redactor), redaction_articles.mask(article.body, redactor))


def _turn(message: Message, redactor: Redactor) -> Turn:
    return Turn(message.role, redactor.redact(message.content)[:prompts.TURN])


def facts_of(article: Article | None, further: Sequence[Article] = ()) -> dict[str, Any]:
    """What the answer says about where it comes from, as it stood when it was given. `further`: what a provider was given
    besides, cited as [2] and [3]."""
    if article is None:
        return {}
    given = (article, *further)
    beside = {"further": [{"slug": one.slug, **_state(one)} for one in further]} if further else {}
    return {**_state(article), "source_note": "; ".join(one.source_note for one in given if one.source_note),
            "sources": articles.cite(given), **beside}


def _state(article: Article) -> dict[str, Any]:
    """Whose it is and whether a clinician has read it."""
    return {"title": article.title, "own": article.slug.startswith(OWN), "drafted_on": article.drafted_on.isoformat(),
            "reviewed_on": article.reviewed_on.isoformat() if article.reviewed_on else None, "reviewed_by": article.reviewed_by}
