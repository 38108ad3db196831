"""Which article may answer a message that tells of a danger to life, once who wrote it has stated that no patient is in it
now: one about that very danger. "Can't breathe" is no question about bad breath, however near the words are."""

from collections.abc import Collection, Iterable

from lib import redflags

EVERY = "after-hours"  # says for which signs to call the emergency services
ARTICLES = {
    "bleeding": {"bleeding-after-extraction"},
    "infection": {"tooth-abscess"},
    "trauma": {"child-tooth-injury", "knocked-out-tooth", "broken-tooth"},
    "allergy": {"medicine-allergies"},
}
MISTAKEN = {"airway": {"bad-breath"}}
ANY = "other"  # the category of an emergency without a name
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
    """A clinic's own, by its titles: a title tells of no patient, so every rule counts whose words it has. One about emergencies
    as such is about all."""
    found = {rule.category for title in titles for rule, _match in redflags.read(_without_teaching(title)).hits}
    return not found.isdisjoint({*signs, ANY})


def _without_teaching(title: str) -> str:
    """"Bleeding protocol": the rules take a lesson for no danger."""
    reading = redflags.read(title)
    return " ".join(word for word, means in zip(reading.shown, reading.concepts, strict=True) if TEACHING.isdisjoint(means))
