"""Finds danger signs in a message, in English, Spanish, French and German, without asking anyone else.

The signs live in redflags.toml. A message is read (redflag_reading), what is denied, over or not about a patient now is
taken back (redflag_muting), and the rules are matched against what is left (redflag_matching). Those whose words are affirmed of
somebody now decide (redflag_deciding). A classifier (redflag_classifier) may raise what they say, and hears a sentence of a long
message by itself where it may be buried there (redflag_buried).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lib import (
    redflag_buried,
    redflag_classifier,
    redflag_deciding,
    redflag_hearing,
    redflag_matching,
    redflag_muting,
    redflag_reading,
    redflag_whereabouts,
)
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES, Pattern

# What a finding of tier E can be about: the emergency card chooses its first-aid steps by it. "collapse" is for whoever is
# unconscious, faints, has a seizure, does not respond, has signs of a stroke or low blood sugar, or needs an ambulance.
CATEGORIES = ("airway", "bleeding", "infection", "trauma", "heart", "allergy", "self_harm", "collapse")


@dataclass(frozen=True)
class Finding:
    tier: str
    category: str
    rule: str
    text: str


VERSION = f"{RULES.version}+{redflag_classifier.MODEL.version}"
SIGNS = RULES.live.union(name for rule in RULES.rules for part in rule.parts for name in part) - RULES.neutral
NAMING = {"E": SIGNS | RULES.serious, "U": SIGNS | RULES.serious | RULES.pressing}
SIGNS_BEGUN_BY, RULES_BEGUN_BY = redflag_matching.begun_by(RULES.signs), redflag_matching.begun_by(RULES.rules)
RANK = {None: 0, "U": 1, "E": 2}
# In a few words that tell nothing a rule knows, the classifier has to be surer: it takes "what should she eat" for an alarm.
SHORT, SURELY = 12, 2.0
# And surer still where a lasting complaint is told.
LASTING = 5.0


@dataclass(frozen=True)
class Verdict:
    """`tier` is "E" (call now), "U" (dentist today) or None; `version` names the rule set and the classifier that judged."""

    tier: str | None
    findings: tuple[Finding, ...]
    version: str


def check(text: str, earlier: Sequence[str] = ()) -> Verdict:
    """The danger signs of `text`, read together with up to three earlier turns (oldest first)."""
    reading = read(text, earlier)
    findings = tuple(by_rules(reading))
    tier = highest(findings)
    raised = by_classifier(reading, above=tier)
    return Verdict(raised.tier, (*findings, raised), VERSION) if raised else Verdict(tier, findings, VERSION)


def read(text: str, earlier: Sequence[str] = ()) -> Reading:
    reading = redflag_reading.read([*earlier[-3:], text])
    redflag_whereabouts.leave_out(reading)
    redflag_muting.mute(reading)
    for sign in redflag_matching.candidates(reading, RULES.signs, SIGNS_BEGUN_BY):
        _add_sign(reading, sign)
    reading.hits = list(_hits(reading))
    return reading


def highest(findings: Sequence[Finding]) -> str | None:
    return max((finding.tier for finding in findings), key=RANK.__getitem__, default=None)


def by_classifier(reading: Reading, *, above: str | None = None) -> Finding | None:
    """What the classifier makes of it. A message in which no word stands for a sign is nothing: staff ask for letters and
    summaries, too, and keys are held down."""
    if above == "E" or not _names_a_sign(reading, "U"):
        return None
    words = redflag_hearing.hear(reading)
    beyond = 0.0 if len(words) - reading.last_turn > SHORT or _is_told(reading) else SURELY
    raised = redflag_classifier.judge(words[reading.last_turn:], words[:reading.last_turn], above=above, beyond=beyond)
    if raised is None or raised.tier != "E":
        raised = redflag_buried.judge(reading, words) or raised
    if raised is None or (raised.tier == "E" and raised.beyond < LASTING and "lingering" in reading.places):
        return None
    return Finding(raised.tier, raised.category, "classifier", "") if _names_a_sign(reading, raised.tier) else None


def _is_told(reading: Reading) -> bool:
    """Whether a rule finds its words outside a question: "bleeding, is it normal", not "is bleeding normal"."""
    return any(reading.sentence[max(match)] not in reading.asked for _, match in reading.hits)


def _names_a_sign(reading: Reading, tier: str) -> bool:
    """In the words of the rules, or in those of a hint that stands for one."""
    named = NAMING[tier]
    return any(not named.isdisjoint(concepts) or not named.isdisjoint(redflag_hearing.hints(word))
               for word, concepts in zip(reading.words, reading.concepts, strict=True))


def _add_sign(reading: Reading, sign: Pattern) -> None:
    matches = list(redflag_matching.matches(reading, sign))
    found = {max(match) for match in matches}
    if found:
        reading.bound.update(*matches)
        reading.places[sign.name] = sorted(found.union(reading.where(sign.name)))


def by_rules(reading: Reading) -> Iterator[Finding]:
    for rule, match in redflag_deciding.deciding(reading):
        yield Finding(rule.tier, rule.category, rule.name, " ".join(reading.shown[i] for i in sorted(match)))


def _hits(reading: Reading) -> Iterator[tuple[Pattern, tuple[int, ...]]]:
    """Of each rule the first match in the earlier turns and the first that ends in the last turn."""
    for rule in redflag_matching.candidates(reading, RULES.rules, RULES_BEGUN_BY):
        earlier: set[bool] = set()
        for match in redflag_matching.matches(reading, rule):
            is_earlier = max(match) < reading.last_turn
            if is_earlier not in earlier:
                earlier.add(is_earlier)
                yield rule, match
            if not is_earlier:
                break
