import pytest

from ui import guard


@pytest.fixture
def looks(monkeypatch, alice):
    """How often the session row was read; somebody is at the tab, on the page Today."""
    seen = []
    monkeypatch.setattr(guard, "identity", lambda **_: seen.append(1) or alice)
    monkeypatch.setattr(guard, "place", lambda: "today")
    return seen


def test_what_a_run_has_just_read_is_not_read_again(looks, alice):
    with guard.known(alice):
        assert guard.require("today.read").user_id == alice.user_id
        guard.require("patients.read")

    assert looks == []


def test_outside_a_run_every_guard_looks_for_itself(looks, alice):
    with guard.known(alice):
        pass
    guard.require("today.read")

    assert looks == [1]


def test_a_run_that_goes_on_looks_again(looks, alice, monkeypatch):
    with guard.known(alice):
        monkeypatch.setattr(guard, "FRESH", 0.0)
        guard.require("today.read")

    assert looks == [1]


def test_a_change_and_a_watcher_always_look_again(looks, alice):
    with guard.known(alice):
        guard.act("account.own")
        guard.watch("today.read")

    assert looks == [1, 1]
