"""Finds danger signs in a message, in English, Spanish, French and German, without asking anyone else.

The signs live in redflags.toml. A message is read (redflag_reading), what is denied, over or not about a patient now is
taken back (redflag_muting), and the rules are matched against what is left (redflag_matching).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lib import redflag_matching, redflag_muting, redflag_reading
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


@dataclass(frozen=True)
class Verdict:
    """`tier` is "E" (call now), "U" (dentist today) or None; `version` names the rule set that judged."""

    tier: str | None
    findings: tuple[Finding, ...]
    version: str


def check(text: str, earlier: Sequence[str] = ()) -> Verdict:
    """The danger signs of `text`, read together with up to three earlier turns (oldest first)."""
    reading = redflag_reading.read([*earlier[-3:], text])
    redflag_muting.mute(reading)
    for sign in RULES.signs:
        _add_sign(reading, sign)
    findings = tuple(_findings(reading))
    tiers = {finding.tier for finding in findings}
    tier = "E" if "E" in tiers else "U" if "U" in tiers else None
    return Verdict(tier, findings, RULES.version)


def _add_sign(reading: Reading, sign: Pattern) -> None:
    found = {max(match) for match in redflag_matching.matches(reading, sign)}
    if found:
        reading.places[sign.name] = sorted(found.union(reading.places[sign.name]))


def _findings(reading: Reading) -> Iterator[Finding]:
    for rule in RULES.rules:
        for match in redflag_matching.matches(reading, rule):
            if max(match) >= reading.last_turn:
                yield Finding(rule.tier, rule.category, rule.name, " ".join(reading.shown[i] for i in sorted(match)))
                break
