"""The goals that `make eval` asks for (docs/assistant-evaluation.md), as far as a test can hold them."""

import pytest

from evaluation import corpus, knowledge, redflags
from evaluation.corpus import Message
from evaluation.knowledge import Score
from evaluation.redflags import Judged
from lib import db


def test_the_red_flags_meet_their_goals_on_all_that_is_sealed():
    """A failure shows no message, as nobody is to read those."""
    try:
        missed = redflags.missed_on_all_that_is_sealed()
    except Exception as error:
        pytest.fail(f"{type(error).__name__}, while a sealed message was judged", pytrace=False)

    assert missed == []


def test_the_knowledge_base_meets_its_goals(alice):
    with db.scope(alice) as scope:
        scores = knowledge.tally(scope, [*knowledge.own_questions(), *knowledge.unseen_questions()])

    assert knowledge.missed_goals(scores) == []
    assert {"own, in all", "unseen, in all"} <= scores.keys()


def test_the_knowledge_base_meets_its_goals_on_what_patients_asked(alice, shared):
    with db.scope(alice) as scope:
        scores = knowledge.tally(scope, knowledge.development_questions())

    assert knowledge.missed_goals(scores) == []
    assert {"dental, in all", "dental and foreign, in all"} <= scores.keys()


@pytest.mark.parametrize(("score", "reached"), [(Score(100, 85, 5, 60), True), (Score(100, 84, 5, 60), False), (Score(100, 90, 6, 96), False)])
def test_a_goal_of_the_knowledge_base_is_missed_by_too_few_right_and_by_too_many_wrong(score, reached):
    assert knowledge.missed_goals({"own, in all": score, "own, de": Score(9, 0, 9, 9)}) == ([] if reached else ["own, in all"])


def judged(tier, seen, how_many):
    message = Message("de", tier, "other", "lay", "made up", "aside", 1)
    return [Judged(message, seen, None, seen, 0.0)] * how_many


@pytest.mark.parametrize(("found", "alarms", "missed"), [
    (97, 3, []), (96, 3, ["de: recall of emergencies 0.960"]), (97, 4, ["de: false alarms 0.040"])])
def test_a_goal_of_the_red_flags_is_missed_by_an_emergency_too_few_and_by_an_alarm_too_many(found, alarms, missed, monkeypatch):
    monkeypatch.setattr(corpus, "LANGUAGES", ("de",))
    messages = [*judged("E", "E", found), *judged("E", "U", 100 - found), *judged(None, "U", alarms), *judged(None, None, 100 - alarms)]

    assert list(redflags.missed_goals(messages)) == missed


def test_the_part_set_aside_is_told_by_language_tier_and_category_at_once(capsys):
    redflags._report(redflags.ASIDE, [*judged("E", "E", 3), *judged("E", "U", 1), *judged(None, "U", 1), *judged(None, None, 1)])

    [head, emergency, _all, _urgent, harmless, _all] = capsys.readouterr().out.partition("\ntier ")[2].partition("\n\n")[0].splitlines()
    assert head.split()[:6] == ["category", "en", "es", "fr", "de", "all"]
    assert emergency.split() == ["E", "other", "–", "–", "–", "0.750", "4", "0.750", "4"]
    assert harmless.split() == ["none", "other", "–", "–", "–", "0.500", "2", "0.500", "2"]
