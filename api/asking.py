"""What somebody without a clinic asks the assistant, and what it takes to answer: the order of the app, without its rows."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from lib import advice, ai, articles, chats, knowledge, prompts, providers, rate_limits, redaction, redflags, service_spend
from lib.ai import Consultation
from lib.errors import TooMany, Unavailable
from lib.prompts import Context, Extract, Turn
from lib.redflags import Verdict
from lib.texts import _

EMERGENCY_NUMBER = "112"
LONGEST_MESSAGE, LONGEST_QUESTION = 20_000, 4_000


class Patient(BaseModel):
    name: Annotated[str, Field(max_length=255)] = ""


def _visible(message: str) -> str:
    if chats.is_blank(message):
        raise PydanticCustomError("blank", _("There is nothing to read in it."))
    return message


class Message(BaseModel):
    """`message`: what a patient or a colleague asks. Its length is looked at behind its red flags."""

    message: Annotated[str, Field(min_length=1), AfterValidator(_visible)]
    patient: Patient = Patient()


class Said(BaseModel):
    role: Annotated[str, Field(pattern="^(user|assistant)$")]
    content: Annotated[str, Field(max_length=LONGEST_MESSAGE)]


class Chat(Message):
    """`stream`: the answer as server-sent events, as with `Accept: text/event-stream`."""

    history: Annotated[list[Said], Field(max_length=50)] = []
    notes: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""
    emergency_number: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9 ]{2,12}$")] = EMERGENCY_NUMBER
    stream: bool = False


class Refused(Exception):
    """With its status and its sentence. `seconds`: until another try has a chance."""

    def __init__(self, status: int, reason: str, seconds: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.seconds = status, reason, seconds


@dataclass(frozen=True)
class Caller:
    """`who`: whose limit it is, by the service key or, without one, the address. `counted`: whether there is a database that
    knows what the installation's day has cost."""

    who: str
    counted: bool


@dataclass(frozen=True)
class Prepared:
    """`name`: the patient's, for whoever asked; a provider knows a placeholder. `given`: the article that fits and those beside
    it, by the numbers under which a provider cites them."""

    request: ai.Request
    name: str
    held: service_spend.Held | None = None
    given: tuple[articles.Article, ...] = ()


# Red flags on the whole message, then the length and the limit, then whoever answers: the order that the app keeps, too.


def judge(asked: Chat) -> Verdict:
    turns = [turn.content for turn in asked.history if turn.role == "user"]
    return redflags.check(asked.message[:LONGEST_MESSAGE], turns[-3:])


def warn(asked: Chat, verdict: Verdict) -> Prepared | None:
    """What is answered with fixed words, at once: an emergency, and an urgent message that is too long for more."""
    if verdict.tier == "E":
        categories = sorted({finding.category for finding in verdict.findings if finding.tier == "E"})
        return _fixed(asked, card=advice.emergency_card(asked.emergency_number, categories))
    if len(asked.message) <= LONGEST_QUESTION:
        return None
    too_long = _("A question has room for {limit:,} characters; this one has {n:,}.").format(
        limit=LONGEST_QUESTION, n=len(asked.message))
    if not verdict.tier:
        raise Refused(400, f"message: {too_long}")
    return _fixed(asked, urgent=True, refusal=too_long)


def _fixed(asked: Chat, *, card: str = "", urgent: bool = False, refusal: str = "") -> Prepared:
    return Prepared(ai.Request(asked.message, None, urgent, asked.emergency_number, card=card, refusal=refusal), "")


def prepare(asked: Chat, verdict: Verdict, caller: Caller) -> Prepared:
    article = knowledge.look_up(asked.message, _articles())
    request = ai.Request(asked.message, article, verdict.tier == "U", asked.emergency_number)
    if _count(caller, verdict):
        return Prepared(replace(request, why_not="busy"), asked.patient.name, given=(article,) if article else ())
    return _with_provider(asked, article, request, caller)


def _count(caller: Caller, verdict: Verdict) -> bool:
    """Whether this is one too many. Whatever is urgent gets its advice all the same; anything else is refused."""
    try:
        rate_limits.spend("service", caller.who)
    except TooMany as error:
        if verdict.tier:
            return True
        raise Refused(429, str(error), error.seconds) from None
    return False


def _with_provider(asked: Chat, article: articles.Article | None, request: ai.Request, caller: Caller) -> Prepared:
    provider, name = _provider(asked, article), asked.patient.name
    if provider is None:
        return Prepared(request, name, given=(article,) if article else ())
    given = (article, *knowledge.beside(asked.message, article)) if article else ()
    consultation = _consultation(asked, provider, given)
    asking = replace(request, consultation=consultation)
    if not caller.counted:
        return Prepared(asking, name, given=given)
    try:
        held = service_spend.hold(provider, sum(len(message["content"]) for message in consultation.messages))
    except Unavailable:
        return Prepared(replace(request, why_not="unavailable"), name, given=given)
    return Prepared(asking, name, held, given) if held else Prepared(replace(request, why_not="budget"), name, given=given)


def _provider(asked: Chat, article: articles.Article | None) -> providers.Provider | None:
    """None: what an article answers about nobody in particular, and everything where there is no provider, is answered here."""
    alone = not (asked.patient.name or asked.history or asked.notes)
    return None if article and alone else providers.installed()


def _consultation(asked: Chat, provider: providers.Provider, given: tuple[articles.Article, ...]) -> Consultation:
    """Masked before it is cut: half a name would not be found."""
    redactor = redaction.Redactor(redaction.Subject(asked.patient.name))
    said = _without_alarms(asked)[-prompts.HISTORY:]
    history = tuple(Turn(turn.role, redactor.redact(turn.content)[:LONGEST_QUESTION]) for turn in said)
    extracts = tuple(Extract(one.title, one.body) for one in given)
    return Consultation(provider, redactor.redact(asked.message),
                        Context(redactor.redact(asked.notes)[:LONGEST_QUESTION], history, extracts, asked.emergency_number))


def _without_alarms(asked: Chat) -> list[Said]:
    """Of an emergency, and what was said to it, nothing is sent anywhere."""
    kept, alarming = [], False
    for turn in asked.history[-2 * prompts.HISTORY:]:
        if turn.role == "user":
            alarming = redflags.check(turn.content).tier == "E"
        if not alarming:
            kept.append(turn)
    return kept


@cache
def _articles() -> tuple[articles.Article, ...]:
    return tuple(articles.read_folder())
