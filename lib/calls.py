"""The bill: one row per attempt to answer, without a word of what was asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from uuid import UUID

import structlog

from lib import metrics
from lib.db import Scope
from lib.events import Done
from lib.identity import Identity

log = structlog.get_logger()

SERVICE = "service"  # the provider's name until the assistant's own service has told whom it asked


@dataclass(frozen=True)
class Call:
    """How an answer is come by, known before it begins. `provider`, `model`: who is asked, where somebody is. `redactions`: how
    often something of each kind was masked. `reserved_usd`: held of `budget_day`'s budget while the call runs."""

    route: str
    tier: str | None
    rule_set: str
    article: str | None
    language: str
    provider: str | None = None
    model: str | None = None
    redactions: Mapping[str, int] = field(default_factory=dict)
    budget_day: date | None = None
    reserved_usd: Decimal | None = None


@dataclass(frozen=True)
class Ending:
    """How an answer ended, to be written once. `billed` False: what it cost is known later."""

    done: Done
    content: str
    latency_ms: int
    first_token_ms: int | None = None
    billed: bool = True


def begin(scope: Scope, message_id: UUID, call: Call) -> None:
    """Before anything runs. Patient and member are the message's."""
    scope.run("""
        insert into ai_calls (clinic_id, message_id, patient_id, user_id, route, status, provider, model_requested, tier,
                              rule_set, article, language, redactions, budget_day, reserved_usd)
        select a.clinic_id, a.id, a.patient_id, a.user_id, :route, 'started', :provider, :model, :tier, :rule_set, :article,
               :language, cast(:redactions as jsonb), :budget_day, :reserved_usd
        from chat_messages a
        where a.clinic_id = :clinic_id
          and a.id = :message_id
        """, message_id=message_id, route=call.route, provider=call.provider, model=call.model, tier=call.tier,
              rule_set=call.rule_set, article=call.article, language=call.language, redactions=json.dumps(dict(call.redactions)),
              budget_day=call.budget_day, reserved_usd=call.reserved_usd)


def begin_trial(scope: Scope, call: Call) -> UUID:
    """A test of the connection answers no message: its row's id stands in the place of one."""
    trial: UUID = scope.value("""
        insert into ai_calls (clinic_id, id, message_id, user_id, route, status, provider, model_requested, language, budget_day,
                              reserved_usd)
        select :clinic_id, t.id, t.id, :me, :route, 'started', :provider, :model, :language, :budget_day, :reserved_usd
        from (select uuidv7() as id) t
        returning id
        """, me=scope.identity.user_id, route=call.route, provider=call.provider, model=call.model, language=call.language,
                               budget_day=call.budget_day, reserved_usd=call.reserved_usd)
    return trial


def finish(scope: Scope, message_id: UUID, ending: Ending) -> bool:
    """Whether this was the one time: by who asked, for nobody else settles a bill. The call's id was made right after its
    message's, so no month before that is read."""
    done = ending.done
    route: str | None = scope.value("""
        update ai_calls
        set status = :status, provider = coalesce(:provider, provider), model_used = :model, provider_request_id = :request_id,
            tokens_in = :tokens_in, tokens_cached = :tokens_cached, tokens_out = :tokens_out,
            tokens_reasoning = :tokens_reasoning, usage_source = :usage_source, price = cast(:price as jsonb),
            cost_usd = :cost_usd, cost_source = :cost_source, saved_usd = :saved_usd,
            first_token_ms = :first_token_ms, latency_ms = :latency_ms, finished_at = now(), tier = coalesce(:raised, tier)
        where clinic_id = :clinic_id
          and id >= :message_id
          and message_id = :message_id
          and user_id = :me
          and status = 'started'
        returning route
        """, message_id=message_id, me=scope.identity.user_id, status=done.status, provider=done.provider,
                     model=done.model, request_id=done.request_id,
                     tokens_in=done.tokens_in, tokens_cached=done.tokens_cached, tokens_out=done.tokens_out,
                     tokens_reasoning=done.tokens_reasoning, usage_source=done.usage_source,
                     price=None if done.price is None else json.dumps(done.price), cost_usd=done.cost_usd,
                     cost_source=done.cost_source, saved_usd=done.saved_usd, first_token_ms=ending.first_token_ms,
                     latency_ms=ending.latency_ms, raised=done.raised)
    if route:
        scope.afterwards.append(partial(_tell, scope.identity, message_id, route, ending))
    return route is not None


def _tell(identity: Identity, message_id: UUID, route: str, ending: Ending) -> None:
    """One line in the log, and the figures. What a model calls itself stays out: that is somebody else's text."""
    metrics.endings.labels(route, ending.done.status).inc()
    metrics.answers.labels(route).observe(ending.latency_ms / 1000)
    if ending.first_token_ms is not None:
        metrics.first_tokens.labels(route).observe(ending.first_token_ms / 1000)
    log.info("answer", request_id=identity.request_id, user_id=str(identity.user_id), clinic_id=str(identity.clinic_id),
             message_id=str(message_id), source=route, provider=ending.done.provider, status=ending.done.status,
             first_token_ms=ending.first_token_ms, duration_ms=ending.latency_ms)


def rule_set_of(scope: Scope, message_id: UUID) -> str:
    """What judged the question that this message answers."""
    return str(scope.value("""
        select rule_set
        from ai_calls
        where clinic_id = :clinic_id
          and id >= :message_id
          and message_id = :message_id
        """, message_id=message_id) or "")
