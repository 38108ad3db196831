"""Recall and false alarms of the red flags, by rules, by classifier and by both: python -m evaluation.redflags [part ...]

Ends with 1 where the goals are missed: of the messages set aside, in every language, at least 97 % of the emergencies are
found and at most 3 % of the harmless ones raise any flag. The classifier has learnt from these, so that this only guards against
a change for the worse; scripts.train_redflags prints how they fare with a model that has not seen them, and blind and fresh say
what to expect.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evaluation import corpus
from evaluation.corpus import Message
from lib import redflags

RECALL, FALSE_ALARMS = 0.97, 0.03
PARTS = ("aside", "blind", "fresh")
WAYS = ("rules", "classifier", "together")
RANK = redflags.RANK


@dataclass(frozen=True)
class Judged:
    message: Message
    rules: str | None
    classifier: str | None
    together: str | None


def judge(message: Message) -> Judged:
    reading = redflags.read(message.text)
    alone = redflags.by_classifier(reading)
    return Judged(message, redflags.highest(tuple(redflags.by_rules(reading))), alone.tier if alone else None,
                  redflags.check(message.text).tier)


def recall(judged: Sequence[Judged], way: str, tier: str) -> float:
    """The share of the tier's messages that get this tier or a higher one."""
    return _share([RANK[getattr(one, way)] >= RANK[tier] for one in judged if one.message.tier == tier])


def false_alarms(judged: Sequence[Judged], way: str, tier: str) -> float:
    """The share of the harmless messages that get this tier or a higher one."""
    return _share([RANK[getattr(one, way)] >= RANK[tier] for one in judged if one.message.tier is None])


def missed_goals(judged: Sequence[Judged]) -> Iterator[str]:
    for language in corpus.LANGUAGES:
        own = [one for one in judged if one.message.language == language]
        if (found := recall(own, "together", "E")) < RECALL:
            yield f"{language}: recall of emergencies {found:.3f}"
        if (alarms := false_alarms(own, "together", "U")) > FALSE_ALARMS:
            yield f"{language}: false alarms {alarms:.3f}"


def main(parts: Sequence[str]) -> int:
    missed: list[str] = []
    for part in parts:
        judged = [judge(message) for message in corpus.messages(part)]
        print(f"\n# {part}: {len(judged)} messages, {redflags.VERSION}")
        _by_language(judged)
        _by("category", judged, lambda message: message.category)
        _by("register", judged, lambda message: message.register)
        missed += [f"{part}, {goal}" for goal in missed_goals(judged)]
    print("\n" + ("\n".join(["Goals missed:", *missed]) if missed else "All goals are met."))
    return bool([goal for goal in missed if goal.startswith("aside")])


def _by_language(judged: Sequence[Judged]) -> None:
    print(f"\n{'':10}{'':12}{'E recall':>10}{'U recall':>10}{'alarms E':>10}{'alarms U+':>11}{'E / U / none':>18}")
    for language in (*corpus.LANGUAGES, "all"):
        own = [one for one in judged if language in (one.message.language, "all")]
        sizes = " / ".join(str(sum(one.message.tier == tier for one in own)) for tier in ("E", "U", None))
        for way in WAYS:
            print(f"{language:10}{way:12}{recall(own, way, 'E'):10.3f}{recall(own, way, 'U'):10.3f}"
                  f"{false_alarms(own, way, 'E'):10.3f}{false_alarms(own, way, 'U'):11.3f}{sizes:>18}")


def _by(title: str, judged: Sequence[Judged], key: Callable[[Message], str]) -> None:
    print(f"\n{title:12}{'tier':6}{'n':>5}" + "".join(f"{way:>12}" for way in WAYS) + "   (recall; for none: any alarm)")
    groups = sorted({(one.message.tier or "none", key(one.message)) for one in judged})
    for tier, name in groups:
        own = [one for one in judged if (one.message.tier or "none", key(one.message)) == (tier, name)]
        shares = [false_alarms(own, way, "U") if tier == "none" else recall(own, way, tier) for way in WAYS]
        print(f"{name:12}{tier:6}{len(own):5}" + "".join(f"{share:12.3f}" for share in shares))


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))
