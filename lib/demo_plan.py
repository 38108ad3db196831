"""What the demo clinic holds, before anything is written: invented patients and a year of questions up to this moment.

Everything follows from one seed and the moment it is made.
"""

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from lib import advice, ai, countries, knowledge, redflags, search_words
from lib.events import Delta
from lib.patient_form import PatientForm

SEED = "Harbour Street"
PATIENTS, DAYS, PROVIDER_SINCE = 320, 365, 210
BUSY = {0: 20, 1: 18, 2: 17, 3: 18, 4: 14, 5: 4, 6: 0}  # questions by weekday when the year begins
RECENT = (9, 23, 48, 75, 110, 160)  # minutes ago: whenever the demo is made, somebody has just asked something
MODEL, PRICE_IN, PRICE_OUT = "gemini-2.5-flash", Decimal("0.0000003"), Decimal("0.0000025")
TEXTS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "demo.toml").read_text())
ZONE = ZoneInfo(TEXTS["clinic"]["time_zone"])
EMERGENCY_NUMBER = countries.EMERGENCY_NUMBERS[TEXTS["clinic"]["country"]]
OWNER, RECEPTION, ASKERS, CLINICAL = 0, 4, (0, 2, 3, 4), (0, 2, 3)  # places in TEXTS["staff"]


@dataclass(frozen=True)
class Registered:
    """A patient, who wrote them down, and when."""

    id: UUID
    at: datetime
    by: int
    form: PatientForm
    archived_at: datetime | None


@dataclass(frozen=True)
class Ask:
    """A question with its answer and what that took. `patient` and `by` are places in the lists."""

    id: UUID
    answer_id: UUID
    at: datetime
    by: int
    patient: int | None
    question: str
    answer: str
    route: str
    status: str = "ok"
    article: knowledge.Article | None = None
    tokens: tuple[int | None, int | None] = (None, None)
    cost: Decimal | None = Decimal(0)
    cost_source: str | None = "none"
    first_token_ms: int | None = None
    latency_ms: int = 0
    action: str | None = None
    answered_by: int = RECEPTION
    answered_after: int | None = None

    @property
    def finished_at(self) -> datetime:
        return self.at + timedelta(milliseconds=self.latency_ms)

    @property
    def thread(self) -> tuple[int | None, int | None]:
        """A patient's thread belongs to nobody, a general one to its member."""
        return (self.by, None) if self.patient is None else (None, self.patient)


@dataclass(frozen=True)
class Plan:
    """`threads`: the question each began with, whose id the thread bears as well."""

    patients: list[Registered]
    asks: list[Ask]

    @cached_property
    def threads(self) -> dict[tuple[int | None, int | None], Ask]:
        return {ask.thread: ask for ask in reversed(self.asks)}

    def patient_id(self, ask: Ask) -> UUID | None:
        return None if ask.patient is None else self.patients[ask.patient].id


# patients --------------------------------------------------------------------------------------------------


def plan(now: datetime) -> Plan:
    """What stands in the clinic at this moment; the same for the same moment, and for another hour of its day nearly so."""
    registered = list(_register(dice_for("patients"), now))
    return Plan(registered, sorted(_ask_all(dice_for("asks"), now, registered), key=lambda ask: ask.at))


def dice_for(what: str) -> random.Random:
    return random.Random(f"{SEED} {what}")  # noqa: S311 - the same clinic every time, nothing secret


def id_at(moment: datetime, dice: random.Random) -> UUID:
    """A uuid of version 7 of that millisecond."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | dice.getrandbits(12) << 64 | 2 << 62 | dice.getrandbits(62))


def _register(dice: random.Random, now: datetime) -> Iterator[Registered]:
    groups = [group for group in TEXTS["names"] for _ in range(round(group["share"] * PATIENTS / 100))][:PATIENTS]
    numbers = dice.sample(range(1000), len(groups))
    dice.shuffle(groups)
    for place, (group, number) in enumerate(zip(groups, numbers, strict=True)):
        age = timedelta(days=400 * (1 - place / len(groups)), minutes=dice.randint(5, 500))
        at = now - age
        gone = now - age * dice.uniform(0.1, 0.7) if dice.random() < 0.06 else None
        yield Registered(id_at(at, dice), at, dice.choice(ASKERS), _form(dice, group, number, now.date()), gone)


def _form(dice: random.Random, group: dict[str, Any], number: int, today: date) -> PatientForm:
    given, family = dice.choice(group["given"]), dice.choice(group["family"])
    born = today - timedelta(days=round(dice.triangular(3, 93, 41) * 365.25))
    died = today - timedelta(days=dice.randint(20, 360)) if born.year < 1960 and dice.random() < 0.1 else None
    parts = (family, given) if group.get("family_first") else (given, family)
    return PatientForm(
        full_name=("" if group.get("joined") else " ").join(parts), email=_email(dice, given, family, number),
        phone=group["phone"].format(n=number) if dice.random() < 0.9 else None,
        date_of_birth=born if dice.random() < 0.97 else None, deceased=died is not None, deceased_on=died,
        alerts="\n".join(dice.sample(TEXTS["notes"]["alerts"], dice.choice([1, 1, 1, 2]))) if dice.random() < 0.28 else "",
        medical_notes="\n\n".join(dice.sample(TEXTS["notes"]["medical"], dice.choice([1, 1, 2]))) if dice.random() < 0.65 else "",
        external_id=f"HS-{number:05d}" if dice.random() < 0.4 else None)


def _email(dice: random.Random, given: str, family: str, number: int) -> str | None:
    if dice.random() > 0.7:
        return None
    plain = [part for part in (search_words.fold(given), search_words.fold(family)) if part.isascii()]
    words = ["".join(letter for letter in part if letter.isalnum()) for part in plain] or ["patient"]
    return f"{'.'.join(words)}.{number}@{dice.choice(['example.com', 'example.net', 'example.org'])}"


# questions -------------------------------------------------------------------------------------------------


def _ask_all(dice: random.Random, now: datetime, known: Sequence[Registered]) -> Iterator[Ask]:
    articles = {article.slug: article for article in knowledge.read_folder()}
    topics = [(articles[slug], question) for slug, questions in TEXTS["questions"].items() for question in questions]
    admitted = "".join(event.text for event in ai.answer(_request("")) if isinstance(event, Delta))
    for at in _moments(dice, now):
        yield _ask(dice, at, now, known, topics, admitted)
    for minutes in (34, 205):
        yield _raise(dice, now - timedelta(minutes=minutes), known, answered=False)


def _moments(dice: random.Random, now: datetime) -> Iterator[datetime]:
    """Working hours of the clinic's wall clock; a little more every month, less in August and around New Year."""
    today = now.astimezone(ZONE).date()
    for day in (today - timedelta(days=n) for n in range(DAYS, -1, -1)):
        growth = 1 + (DAYS - (today - day).days) / DAYS
        season = 0.4 if day.month == 8 or (day.month, day.day) > (12, 22) or (day.month, day.day) < (1, 3) else 1
        for _ in range(round(BUSY[day.weekday()] * growth * season * dice.uniform(0.6, 1.3))):
            at = datetime.combine(day, time(8), ZONE).astimezone(UTC) + timedelta(seconds=dice.triangular(0, 10.5 * 3600))
            if at < now - timedelta(minutes=5):
                yield at
    yield from (now - timedelta(minutes=minutes) for minutes in RECENT)


def _ask(dice: random.Random, at: datetime, now: datetime, known: Sequence[Registered],
         topics: Sequence[tuple[knowledge.Article, str]], admitted: str) -> Ask:
    chance = dice.random()
    if chance < 0.005:
        return _raise(dice, at, known, answered=True)
    if chance < 0.33 and now - at < timedelta(days=PROVIDER_SINCE):
        return _consult(dice, at, known)
    if dice.random() < 0.17:
        return _new(dice, at, None, dice.choice(TEXTS["unanswered"]), admitted, "fallback", latency_ms=dice.randint(9, 60))
    article, question = dice.choice(topics)
    answer = f"**{article.title}**\n\n{article.body}\n\n{advice.safety_net(EMERGENCY_NUMBER)}"
    return _new(dice, at, _patient(dice, at, known, 0.45), question, answer, "kb", article=article,
                latency_ms=dice.randint(12, 140))


def _consult(dice: random.Random, at: datetime, known: Sequence[Registered]) -> Ask:
    """Asked of the provider. What failed has unknown tokens and cost, and now and then a price was not known."""
    text = dice.choice(TEXTS["provider"])
    status = dice.choices(["ok", "timeout", "error_before", "error_mid", "stopped"], [93, 2, 2, 1, 2])[0]
    ask = _new(dice, at, _patient(dice, at, known, 0.8), text["question"], text["answer"], "provider", status=status)
    if status in ("timeout", "error_before"):
        waited = 15_000 if status == "timeout" else dice.randint(90, 900)
        return replace(ask, answer="", cost=None, cost_source=None, latency_ms=waited)
    tokens, waited = (dice.randint(600, 2600), dice.randint(110, 520)), dice.randint(320, 1500)
    cost = tokens[0] * PRICE_IN + tokens[1] * PRICE_OUT if dice.random() < 0.97 and status != "error_mid" else None
    said = text["answer"] if status == "ok" else text["answer"][:dice.randint(60, 120)]
    return replace(ask, answer=said, tokens=tokens, cost=cost, cost_source="price_table" if cost is not None else None,
                   first_token_ms=waited, latency_ms=waited + tokens[1] * dice.randint(6, 15))


def _raise(dice: random.Random, at: datetime, known: Sequence[Registered], *, answered: bool) -> Ask:
    text = dice.choice(TEXTS["emergency"])
    card = advice.emergency_card(EMERGENCY_NUMBER, categories(text["question"]))
    ask = _new(dice, at, _patient(dice, at, known, 0.7), text["question"], card, "emergency", latency_ms=dice.randint(4, 30))
    if not answered:
        return ask
    return replace(ask, action=text["action"], answered_by=dice.choice(CLINICAL),
                   answered_after=round(dice.lognormvariate(5, 0.6)))


def _new(dice: random.Random, at: datetime, patient: int | None, question: str, answer: str, route: str, **values: Any) -> Ask:
    """About a patient only those who treat may ask."""
    by = dice.choices(CLINICAL, [2, 4, 3])[0] if patient is not None else dice.choices(ASKERS, [2, 3, 3, 5])[0]
    return Ask(id_at(at, dice), id_at(at + timedelta(milliseconds=2), dice), at, by, patient, question, answer, route, **values)


def _patient(dice: random.Random, at: datetime, known: Sequence[Registered], share: float) -> int | None:
    """One of the first ninety who was registered by then: some threads grow long, most patients have none."""
    there = [place for place in range(90) if known[place].at < at - timedelta(minutes=5)]
    return dice.choice(there) if there and dice.random() < share else None


def _request(question: str) -> ai.Request:
    return ai.Request(question, None, False, EMERGENCY_NUMBER)


def categories(question: str) -> list[str]:
    return sorted({finding.category for finding in redflags.check(question).findings if finding.tier == "E"})
