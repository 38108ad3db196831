"""One's own account: name, language, password, devices."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from lib import account, auth, db, devices, passwords, resets, team, tokens
from lib.errors import Invalid, NotFound, NotSignedIn, TooMany
from tests.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
BETTER = "another horse staple 7"


@pytest.fixture
def sign_in(database):
    """A device of somebody's, as the token id that its cookie holds."""
    def make(who, device: str = FIREFOX, *, keep: bool = False, password: str = PASSWORD) -> str:
        found = auth.find_account(who.email)
        assert auth.verify(found, password, address=who.address)
        signed_in = auth.redeem_ticket(auth.issue_ticket(found, keep=keep), device=device, address="203.0.113.9")
        return tokens.read(signed_in.token).id
    return make


@pytest.fixture
def enter(sign_in):
    return lambda who: auth.resume(sign_in(who), address="203.0.113.9")


def logged(who) -> list[tuple[str, list[str]]]:
    with db.scope(who) as scope:
        found = scope.connection.execute(text("select action, fields, row_count from audit_log order by id")).all()
    return [(row.action, row.fields if row.row_count is None else row.row_count) for row in found if row.action != "sign_in"]


def is_in(token_id: str) -> bool:
    try:
        return bool(auth.resume(token_id))
    except NotSignedIn:
        return False


# name and language ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["José Müller-Nguyễn", "محمد بن سلمان", "王小明", "O’Neil", "x" * 255])
def test_a_name_of_any_script_follows_into_every_clinic(enter, alice, name):
    identity = enter(alice)
    account.amend(identity, f"  {name} ", "fr")
    found = account.get(identity)
    assert (found.full_name, found.language, found.email) == (name, "fr", alice.email)
    with db.scope(alice) as scope:
        assert scope.value("select display_name from memberships where clinic_id = :clinic_id and user_id = :id", id=alice.user_id) == name
    assert logged(alice) == [("change", ["full_name", "language"])]


@pytest.mark.parametrize(("name", "language"), [("", None), ("12345", None), ("x" * 256, None), ("a\0b", None), ("Alice", "xx"), ("Alice", "")])
def test_what_is_no_name_or_language_is_refused_in_words(enter, alice, name, language):
    identity = enter(alice)
    with pytest.raises(Invalid):
        account.amend(identity, name, language)
    assert account.get(identity).full_name == "Alice Adams"


def test_the_language_is_ones_own_or_the_clinics(sign_in, alice):
    token_id = sign_in(alice)
    assert auth.resume(token_id).language == "en"
    account.amend(auth.resume(token_id), "Alice Adams", "de")
    assert auth.resume(token_id).language == "de"
    account.amend(auth.resume(token_id), "Alice Adams", None)
    assert auth.resume(token_id).language == "en"


def test_saving_nothing_new_is_no_change(enter, alice):
    account.amend(enter(alice), "Alice Adams", None)
    assert logged(alice) == []


@pytest.fixture
def elsewhere(alice, charlie, open_clinic):
    """Alice works in Charlie's clinic as well, and once worked in Dora's."""
    dora = open_clinic("Dora Dent", "Dent Dental")
    for boss in (charlie, dora):
        with db.scope(boss) as scope:
            token = team.invite(scope, alice.email, "clinician")
        team.accept(token, alice.user_id)
    with db.scope(dora) as scope:
        [former] = [member for member in team.members(scope) if member.user_id == alice.user_id]
        team.deactivate(scope, former.user_id)
    return charlie, dora


def own_changes(who, person) -> list[list[str]]:
    with db.scope(who) as scope:
        return list(scope.connection.execute(text("""
            select fields from audit_log where clinic_id = :clinic and user_id = :person and action = 'change' order by id
            """), {"clinic": who.clinic_id, "person": person.user_id}).scalars())


def name_at(who, person) -> str:
    with db.scope(who) as scope:
        return scope.value("select display_name from memberships where clinic_id = :clinic_id and user_id = :id", id=person.user_id)


def test_a_new_name_is_on_record_in_every_clinic_and_not_where_one_left(enter, alice, elsewhere):
    """SECURITY 16: the name follows into each clinic, and each of them can see who changed it. What one wrote where one left
    keeps the name it was written under."""
    account.amend(enter(alice), "Alice Archer", "fr")
    assert [name_at(who, alice) for who in (alice, *elsewhere)] == ["Alice Archer", "Alice Archer", "Alice Adams"]
    assert [own_changes(who, alice) for who in (alice, *elsewhere)] == [[["full_name", "language"]], [["full_name"]], []]


def test_another_language_is_nobody_elses_business(enter, alice, elsewhere):
    account.amend(enter(alice), "Alice Adams", "fr")
    assert [own_changes(who, alice) for who in (alice, *elsewhere)] == [[["language"]], [], []]


# password ------------------------------------------------------------------------------------------------------------


def test_a_new_password_ends_the_other_sessions_and_not_this_one_security_13(sign_in, alice):
    here, there = sign_in(alice), sign_in(alice, keep=True)
    account.change_password(auth.resume(here), PASSWORD, BETTER)
    assert (is_in(here), is_in(there)) == (True, False)
    found = auth.find_account(alice.email)
    assert auth.verify(found, BETTER)
    assert not auth.verify(found, PASSWORD)
    assert logged(alice)[0] == ("change_password", [])


def test_a_new_password_voids_what_could_still_let_somebody_in(enter, alice):
    identity = enter(alice)
    ticket, token = auth.issue_ticket(auth.find_account(alice.email), keep=False), "r" * 43
    with db.nobody() as connection:
        connection.execute(text("select app.issue_reset(:email, :token)"), {"email": alice.email, "token": tokens.digest(token)})
    assert resets.find(token)
    account.change_password(identity, PASSWORD, BETTER)
    assert resets.find(token) is None
    with pytest.raises(NotSignedIn):
        auth.redeem_ticket(ticket, device="test", address="203.0.113.9")


@pytest.mark.parametrize("new", ["x7 q9 Lm2 RtÅ", "correct horse staple 9" + "x" * 50, "🦷 emoji 🪥 are fine 🙂 too"],
                         ids=["13 characters", "72 bytes", "emoji"])
def test_passwords_up_to_72_bytes_in_any_script_work_security_11(enter, alice, new):
    assert len(new.encode()) <= 72
    account.change_password(enter(alice), PASSWORD, new)
    assert auth.verify(auth.find_account(alice.email), new)
    assert not auth.verify(auth.find_account(alice.email), new[:-1])


@pytest.mark.parametrize(("new", "reason"), [
    ("Kx7#qp9!Lm2", "at least 12 characters; this one has 11"), ("correct horse staple 9" + "x" * 51, "72 bytes; this one takes 73"),
    ("🦷" * 19, "72 bytes; this one takes 76"), ("correct\0horse staple", "invisible control"), (" correct horse staple", "space"),
    ("password1234567", "easy to guess"), ("adams dental 12", "easy to guess"), ("Alice Adams 123", "easy to guess"), ("", "12 characters"),
    (PASSWORD, "have already"),
])
def test_a_password_that_will_not_do_is_refused_with_the_reason_security_11(sign_in, alice, new, reason):
    here, there = sign_in(alice), sign_in(alice)
    with pytest.raises(Invalid, match=reason):
        account.change_password(auth.resume(here), PASSWORD, new)
    assert auth.verify(auth.find_account(alice.email), PASSWORD)
    assert is_in(there)
    assert logged(alice) == []


def test_exactly_72_bytes_are_told_apart_from_73_security_10():
    seventy_two = "p" * 72
    hashed = passwords.make_hash(seventy_two)
    assert passwords.matches(seventy_two, hashed)
    assert not passwords.matches(seventy_two + "p", hashed)
    assert not passwords.matches("p" * 71 + "\0", hashed)


def test_the_current_password_is_asked_for_a_limited_number_of_times_security_13_14(enter, alice):
    identity = enter(alice)
    for _try in range(5):
        with pytest.raises(Invalid, match="not your current password"):
            account.change_password(identity, "not the password", BETTER)
    with pytest.raises(TooMany):
        account.change_password(identity, PASSWORD, BETTER)
    assert [action for action, _fields in logged(alice)] == ["confirm_failed"] * 5


def test_a_session_that_ended_meanwhile_changes_no_password(enter, alice):
    identity = enter(alice)
    auth.sign_out(identity)
    with pytest.raises(Invalid):
        account.change_password(identity, PASSWORD, BETTER)
    assert auth.verify(auth.find_account(alice.email), PASSWORD)


# devices -------------------------------------------------------------------------------------------------------------


def test_the_devices_are_those_that_are_signed_in_the_last_used_first(sign_in, alice, bob):
    former, here = sign_in(alice, keep=True), sign_in(alice, "curl/8.1")
    sign_in(bob)
    gone = sign_in(alice)
    auth.sign_out(auth.resume(gone))
    found = account.sessions(auth.resume(here))
    assert [(device.name, device.keep, device.current) for device in found] == [("curl", False, True), ("Firefox on Windows", True, False)]
    assert [device.id for device in found] == [tokens.digest(here), tokens.digest(former)]
    assert {(device.address, device.clinic_name) for device in found} == {("203.0.113.9", "Adams Dental")}


def test_what_stands_for_a_device_on_the_screen_tells_nothing_of_its_session(sign_in, alice):
    [device] = account.sessions(auth.resume(sign_in(alice)))
    assert device.key not in device.id.hex()
    assert len(device.key) == 16


def test_a_device_is_signed_out_and_the_others_stay(sign_in, alice):
    here, there, third = (sign_in(alice) for _device in range(3))
    account.sign_out(auth.resume(here), tokens.digest(there))
    assert [is_in(token) for token in (here, there, third)] == [True, False, True]
    assert logged(alice) == [("sign_out_device", 1)]


def test_all_other_devices_are_signed_out_at_once(sign_in, alice, bob):
    here, there, third, bobs = sign_in(alice), sign_in(alice), sign_in(alice), sign_in(bob)
    assert account.sign_out_others(auth.resume(here)) == 2
    assert [is_in(token) for token in (here, there, third, bobs)] == [True, False, False, True]
    assert logged(alice) == [("sign_out_devices", 2)]


def test_nobody_signs_out_somebody_else_not_even_their_owner_security_17(sign_in, alice, bob, charlie):
    theirs = [sign_in(bob), sign_in(charlie)]
    identity = auth.resume(sign_in(alice))
    refusals = []
    for session_id in [*map(tokens.digest, theirs), b"r" * 32]:
        with pytest.raises(NotFound) as refusal:
            account.sign_out(identity, session_id)
        refusals.append(str(refusal.value))
    assert all(map(is_in, theirs))
    assert len(set(refusals)) == 1


def test_a_borrowed_identity_shows_nothing_without_its_session(alice):
    """Every function asks for the living session, not for a name."""
    with pytest.raises(NotFound):
        account.get(alice)
    assert account.sessions(alice) == []
    assert account.sessions(replace(alice, session=b"")) == []


@pytest.mark.parametrize(("user_agent", "name"), [
    (FIREFOX, "Firefox on Windows"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1", "Mobile Safari on iOS"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 Edg/124.0", "Edge on Windows"),
    ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36", "Chrome Mobile on Android"),
    ("curl/8.1", "curl"), ("(Windows NT 10.0)", "Windows"), ("", "Unknown device"), ("test", "Unknown device"), ("\ud800" * 200, "Unknown device"),
])
def test_a_device_is_called_what_a_person_calls_it(user_agent, name):
    assert devices.name(user_agent) == name
