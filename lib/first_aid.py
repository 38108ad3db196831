"""Which article may answer a message that tells of a danger to life, once who wrote it has stated that no patient is in it
now: one about that very danger. "Can't breathe" is no question about bad breath, however near the words are."""

import re
from collections.abc import Collection, Iterable

from lib import redflags
from lib.redflag_rules import fold

EVERY = "after-hours"  # says for which signs to call the emergency services
ARTICLES = {
    "bleeding": {"bleeding-after-extraction"},
    "infection": {"tooth-abscess"},
    "trauma": {"child-tooth-injury", "knocked-out-tooth", "broken-tooth"},
    "allergy": {"medicine-allergies"},
}
MISTAKEN = {"airway": {"bad-breath"}}
# Titles of an article about emergencies as such, folded.
EMERGENCIES = re.compile(r"(?:medical |medizinische |the )?(?:emergenc(?:y|ies)|notfalle?|urgences?|urgencias?|emergencias?)"
                         r"(?: (?:medicales?|medicas?|plan|protocol|in the practice|im haus))*")
TEACHING = frozenset({"teaching", "on_condition"})  # concepts of lib/redflags.toml: protocol, policy; if, when


def is_mistaken(slug: str, text: str) -> bool:
    """Whether a built-in article was found by words that tell of a danger, though nobody is said to be in it: "what do you do if
    somebody can't breathe"."""
    signs = {sign for sign, slugs in MISTAKEN.items() if slug in slugs}
    return bool(signs) and any(rule.category in signs for rule, _match in redflags.read(text).hits)


def is_about(slug: str, signs: Collection[str]) -> bool:
    """A built-in article. `signs`: categories of lib/redflags.py."""
    return slug == EVERY or any(slug in ARTICLES.get(sign, ()) for sign in signs)


def names(titles: Iterable[str], signs: Collection[str]) -> bool:
    """A clinic's own, by its titles: a title tells of no patient, so a rule for emergencies counts whose words it has, and one
    for bleeding that is not the gums'. One about emergencies as such is about all."""
    return any(EMERGENCIES.fullmatch(fold(title)) or not _dangers(title).isdisjoint(signs) for title in titles)


def _dangers(title: str) -> set[str]:
    reading = redflags.read(_without_teaching(title))
    of_gums = "brushing" in reading.places
    return {rule.category for rule, _match in reading.hits if rule.tier == "E" or (rule.category == "bleeding" and not of_gums)}


def _without_teaching(title: str) -> str:
    """"Bleeding protocol": the rules take a lesson for no danger."""
    reading = redflags.read(title)
    return " ".join(word for word, means in zip(reading.shown, reading.concepts, strict=True) if TEACHING.isdisjoint(means))
