"""Recall and false alarms of the red flags, by rules, by classifier and by both: python -m evaluation.redflags [part ...]

Ends with 1 where the goals are missed on the sealed messages (`sealed`, `inbox` and `desks` together), which nothing was made
from: in every language, at least 97 % of the emergencies are found and at most 3 % of the harmless ones raise any flag, E or
U; how many raise which is printed apart. Where a part by itself is beyond the goals in a language is printed, too, and
decides nothing: of 81 harmless messages, three are more than 3 %. The classifier has learnt from `aside`, whose figures guard
against a change for the worse only; scripts.train_redflags prints how it fares with those it has not seen. As it is the largest,
its figures are told by language, tier and category at once. `outside`, `plain` and `spoken` are small sets in styles of their
own. The curve says what another threshold of E would give: rules stay as they are.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evaluation import corpus
from evaluation.corpus import Message
from lib import redflag_classifier, redflag_hearing, redflags

RECALL, FALSE_ALARMS = 0.97, 0.03
SEALED = ("sealed", "inbox", "desks")
ASIDE = "aside"
PARTS = (ASIDE, *SEALED, "outside", "plain", "spoken")
WAYS = ("rules", "classifier", "together")
RANK = redflags.RANK


@dataclass(frozen=True)
class Judged:
    message: Message
    rules: str | None
    classifier: str | None
    together: str | None
    sure: float


def judge(message: Message) -> Judged:
    reading = redflags.read(message.text)
    alone = redflags.by_classifier(reading)
    ruled = redflags.highest(tuple(redflags.by_rules(reading)))
    sure = math.inf if ruled == "E" else redflag_classifier.scores(redflag_hearing.hear(reading))["E"]
    return Judged(message, ruled, alone.tier if alone else None, redflags.check(message.text).tier, sure)


def recall(judged: Sequence[Judged], way: str, tier: str) -> float:
    """The share of the tier's messages that get this tier or a higher one."""
    return _share([RANK[getattr(one, way)] >= RANK[tier] for one in judged if one.message.tier == tier])


def false_alarms(judged: Sequence[Judged], way: str, tier: str) -> float:
    """The share of the harmless messages that get this tier or a higher one."""
    return _share([RANK[getattr(one, way)] >= RANK[tier] for one in judged if one.message.tier is None])


def curve(judged: Sequence[Judged]) -> tuple[float, float]:
    """The recall of E at the threshold that 3 % of the harmless messages pass, and the share of these at a recall of 97 %."""
    emergencies = sorted((one.sure for one in judged if one.message.tier == "E"), reverse=True)
    harmless = sorted((one.sure for one in judged if one.message.tier is None), reverse=True)
    allowed = harmless[int(FALSE_ALARMS * len(harmless))]
    needed = emergencies[math.ceil(RECALL * len(emergencies)) - 1]
    return _share([sure > allowed for sure in emergencies]), _share([sure >= needed for sure in harmless])


def missed_goals(judged: Sequence[Judged]) -> Iterator[str]:
    for language in corpus.LANGUAGES:
        own = [one for one in judged if one.message.language == language]
        if (found := recall(own, "together", "E")) < RECALL:
            yield f"{language}: recall of emergencies {found:.3f}"
        if (alarms := false_alarms(own, "together", "U")) > FALSE_ALARMS:
            yield f"{language}: false alarms {alarms:.3f}"


def missed_on_all_that_is_sealed() -> list[str]:
    return list(missed_goals([judge(message) for message in corpus.messages(*SEALED)]))


def main(parts: Sequence[str]) -> int:
    beyond: list[str] = []
    unseen: list[Judged] = []
    for part in parts:
        judged = [judge(message) for message in corpus.messages(part)]
        _report(part, judged)
        beyond += [f"{part}, {goal}" for goal in missed_goals(judged)]
        unseen += judged if part in SEALED else []
    if unseen:
        _report("all that is sealed", unseen)
    missed = list(missed_goals(unseen)) if unseen else []
    _list("Single parts beyond the goals:", beyond)
    _list("Goals missed on all that is sealed:", missed or ["none"])
    return bool(missed)


def _list(title: str, lines: Sequence[str]) -> None:
    print("\n".join(["", title, *lines]))


def _report(title: str, judged: Sequence[Judged]) -> None:
    print(f"\n# {title}: {len(judged)} messages, {redflags.VERSION}")
    _by_language(judged)
    found, alarms = curve(judged)
    print(f"\nby the threshold of E: recall {found:.3f} at 3 % alarms of E, alarms {alarms:.3f} at a recall of .97")
    _by("category", judged, lambda message: message.category)
    if title == ASIDE:
        _by_language_and_category(judged)
    _by("register", judged, lambda message: message.register)


def _by_language(judged: Sequence[Judged]) -> None:
    print(f"\n{'':10}{'':12}{'E recall':>10}{'U recall':>10}{'alarms E':>10}{'alarms U':>10}{'any':>8}{'E / U / none':>18}")
    for language in (*corpus.LANGUAGES, "all"):
        own = [one for one in judged if language in (one.message.language, "all")]
        sizes = " / ".join(str(sum(one.message.tier == tier for one in own)) for tier in ("E", "U", None))
        for way in WAYS:
            of_e, of_any = false_alarms(own, way, "E"), false_alarms(own, way, "U")
            print(f"{language:10}{way:12}{recall(own, way, 'E'):10.3f}{recall(own, way, 'U'):10.3f}"
                  f"{of_e:10.3f}{of_any - of_e:10.3f}{of_any:8.3f}{sizes:>18}")


def _by(title: str, judged: Sequence[Judged], key: Callable[[Message], str]) -> None:
    print(f"\n{title:12}{'tier':6}{'n':>5}" + "".join(f"{way:>12}" for way in WAYS) + "     of it E   (recall; of none: alarms)")
    groups = sorted({(one.message.tier or "none", key(one.message)) for one in judged})
    for tier, name in groups:
        own = [one for one in judged if (one.message.tier or "none", key(one.message)) == (tier, name)]
        shares = [false_alarms(own, way, "U") if tier == "none" else recall(own, way, tier) for way in WAYS]
        of_e = f"{false_alarms(own, 'together', 'E'):12.3f}" if tier == "none" else ""
        print(f"{name:12}{tier:6}{len(own):5}" + "".join(f"{share:12.3f}" for share in shares) + of_e)


def _by_language_and_category(judged: Sequence[Judged]) -> None:
    """Of both together; behind each share, of how many messages it is one."""
    languages = (*corpus.LANGUAGES, "all")
    print(f"\n{'tier':6}{'category':12}" + "".join(f"{language:>13}" for language in languages)
          + "   (E, U: recall of both together; none: their alarms, E or U; of how many)")
    for tier in ("E", "U", None):
        own = [one for one in judged if one.message.tier == tier]
        for category in (*sorted({one.message.category for one in own}), "all"):
            of_it = [one for one in own if category in (one.message.category, "all")]
            cells = [_cell([one for one in of_it if language in (one.message.language, "all")], tier) for language in languages]
            print(f"{tier or 'none':6}{category:12}" + "".join(cells))


def _cell(judged: Sequence[Judged], tier: str | None) -> str:
    if not judged:
        return f"{'–':>8}{'':5}"
    return f"{recall(judged, 'together', tier) if tier else false_alarms(judged, 'together', 'U'):8.3f}{len(judged):5}"


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))
