"""Finds a danger that one sentence of a long message tells between others: "The lab called about the crown. He has crushing chest
pain. Please order gloves". There what else is said thins out what the classifier hears and takes back what the rules find.

A sentence in which a rule of E finds its words is judged by itself, and has to be far past the threshold: it may as well stand
in a lesson, a text to write, a play or a memory, and what says so stands in the sentences beside it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lib import redflag_classifier, redflag_deciding, redflag_matching, redflag_said, redflag_stretches
from lib.redflag_classifier import Raise
from lib.redflag_deciding import Hit
from lib.redflag_hearing import Heard
from lib.redflag_reading import Reading
from lib.redflag_rules import RULES

# How far, in logarithms of the odds; and how much less where a rule would stand alone, somebody is told of, a verb says "is".
BEYOND, STANDS, TELLS, IS = 10.0, 3.0, 2.0, 1.0
BEFORE, BEHIND = 3, 2  # sentences beside it that may say what it is
FRAMES = RULES.frames_everywhere - {"~drill"}  # whose words for orders and supplies are in every message of a desk
DATED = frozenset(("past", "past_noun", "~long_ago", "~months_ago"))
# Verbs that say how it was.
WAS = redflag_said.words("""
    was were wasnt werent had did didnt could couldnt era eran estaba estaban tenía tenían podía podían había fue fueron
    était étais étaient avait avais avaient pouvait pouvaient arrivait
    war waren hatte hatten konnte konnten bekam bekamen wurde wurden""")


def judge(reading: Reading, words: Sequence[Heard]) -> Raise | None:
    """What the classifier makes of such a sentence; `words` is all that it heard."""
    if len(words) - reading.last_turn <= redflag_deciding.LONGEST_HERE:
        return None
    hits = _hits(reading)
    raised = {sentence: _judge_alone(reading, words, reading.span_of(sentence)) for sentence in hits}
    support = redflag_deciding.alone(reading, hits) if any(raised.values()) else {}
    return next((one for sentence, one in raised.items() if one and _is_enough(reading, sentence, one, support[sentence])), None)


def _hits(reading: Reading) -> Mapping[int, list[Hit]]:
    """By sentence, those of the last turn that lie in one. Of each rule all: the first may be harmless, and the second news."""
    hits: dict[int, list[Hit]] = defaultdict(list)
    for rule in dict.fromkeys(rule for rule, _match in reading.hits if rule.tier == "E"):
        for match in redflag_matching.matches(reading, rule):
            first, last = min(match), max(match)
            if first >= reading.last_turn and reading.sentence[first] == reading.sentence[last]:
                hits[reading.sentence[first]].append((rule, match))
    return hits


def _judge_alone(reading: Reading, words: Sequence[Heard], sentence: range) -> Raise | None:
    if not _is_news(reading, sentence) or _is_framed(reading, sentence):
        return None
    least = BEYOND - STANDS - TELLS - IS
    return redflag_classifier.judge(words[sentence.start:sentence.stop], above="U", beyond=least)


def _is_enough(reading: Reading, sentence: int, raised: Raise, support: tuple[bool, bool]) -> bool:
    stands, tells = support
    says_is = "present_verb" in reading.names(reading.span_of(sentence))
    return raised.beyond > BEYOND - STANDS * stands - TELLS * tells - IS * says_is


def _is_news(reading: Reading, sentence: range) -> bool:
    """Neither asked nor quoted, nor how it was."""
    if reading.sentence[sentence.start] in reading.asked or not reading.quoted.isdisjoint(sentence):
        return False
    is_undated = DATED.isdisjoint(redflag_stretches.ideas(reading, sentence))
    return is_undated and WAS.isdisjoint(reading.words[sentence.start:sentence.stop])


def _is_framed(reading: Reading, sentence: range) -> bool:
    own = reading.sentence[sentence.start]
    first, last = max(own - BEFORE, reading.sentence[reading.last_turn]), min(own + BEHIND, reading.sentence[-1])
    beside = range(reading.span_of(first).start, reading.span_of(last).stop)
    staged = not redflag_said.WRITTEN.isdisjoint(reading.words[beside.start:beside.stop])
    return staged or not FRAMES.isdisjoint(redflag_stretches.ideas(reading, beside))
