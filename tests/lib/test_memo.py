from lib import memo
from lib.memo import Memo


def test_a_result_is_computed_once():
    asked = []
    lengths = Memo(lambda word: asked.append(word) or len(word))
    assert [lengths["swollen"], lengths["jaw"], lengths["swollen"]] == [7, 3, 7]
    assert asked == ["swollen", "jaw"]


def test_what_is_not_worth_its_room_is_not_kept():
    lengths = Memo(len, is_kept=lambda word: len(word) < 4)
    assert (lengths["jaw"], lengths["swollen"], dict(lengths)) == (3, 7, {"jaw": 3})


def test_what_was_asked_for_of_late_is_kept_and_no_more_than_so_much(monkeypatch):
    monkeypatch.setattr(memo, "MOST", 3)
    asked = []
    doubled = Memo(lambda number: asked.append(number) or 2 * number)
    for number in (1, 2, 3, 4, 5, 6, 7, 4):
        assert doubled[number] == 2 * number
        assert len(doubled) + len(doubled.older) <= 6
    assert asked == [1, 2, 3, 4, 5, 6, 7]
    assert doubled[1] == 2
    assert asked[-1] == 1


def test_what_is_cleared_is_computed_anew(monkeypatch):
    monkeypatch.setattr(memo, "MOST", 1)
    asked = []
    lengths = Memo(lambda word: asked.append(word) or len(word))
    assert lengths["jaw"] + lengths["gum"] == 6
    lengths.clear()
    assert lengths["jaw"] + lengths["gum"] == 6
    assert asked == ["jaw", "gum", "jaw", "gum"]
