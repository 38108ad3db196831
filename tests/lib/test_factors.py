"""The second factor: codes of an app, recovery codes, and who may change them."""

import threading
import time
from dataclasses import replace
from uuid import uuid4

import bcrypt
import pyotp
import pytest
from sqlalchemy import text

from lib import account, auth, clinics, db, factors, settings, team, vault
from lib.errors import FactorRequired, Forbidden, Invalid, NotSignedIn, SetUpError, TooMany
from lib.factors import STEP
from tests.conftest import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_790_000_010.0


@pytest.fixture
def enter(token_of):
    """Somebody's fresh session."""
    return lambda who: auth.resume(token_of(who), address="203.0.113.9")


@pytest.fixture
def enrol(enter):
    """The session that set a factor up, its secret and its recovery codes."""
    def make(who):
        identity = enter(who)
        secret = factors.begin(identity).secret
        codes = factors.set_up(identity, PASSWORD, secret, code_of(secret))
        return identity, secret, codes
    return make


def code_of(secret: str, steps: int = 0) -> str:
    """The app's code, with time enough left in this step to use it."""
    if STEP - time.time() % STEP < 5:
        time.sleep(STEP - time.time() % STEP + 0.1)
    return pyotp.TOTP(secret).at(time.time() + steps * STEP)


def check(who, code: str) -> bool:
    return factors.check(who.user_id, code, email=who.email, address="203.0.113.9")


def stored(owner, who):
    with owner.connect() as connection:
        return connection.execute(text("""
            select totp_secret, totp_step, array(select code_hash from recovery_codes where user_id = u.id) as codes
            from users u where id = :id
            """), {"id": who.user_id}).one()


def actions(who) -> list[str]:
    with db.scope(who) as scope:
        return list(scope.connection.execute(text("select action from audit_log order by id")).scalars())


# the window ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "known"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_counts_one_step_either_way_security_13(steps, known):
    code = pyotp.TOTP(SECRET).at(int(NOW) + steps * STEP)
    assert factors.find_step(SECRET, code, now=NOW) == (int(NOW // STEP) + steps if known else None)


@pytest.mark.parametrize("typed", ["{} {}", " {}{} ", "{}\t{}\n", "{}\u00a0{}"])
def test_a_code_is_read_however_it_is_spaced(typed):
    code = pyotp.TOTP(SECRET).at(int(NOW))
    assert factors.find_step(SECRET, typed.format(code[:3], code[3:]), now=NOW) == int(NOW // STEP)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "１２３４５６", "\0", "\ud800", "12345½", "-12345"])
def test_what_is_no_code_is_none(typed):
    assert factors.find_step(SECRET, typed, now=NOW) is None


# setting up ----------------------------------------------------------------------------------------------------------


def test_the_qr_code_names_the_person_and_holds_the_secret(enter, alice):
    enrolment = factors.begin(enter(alice))
    read = pyotp.parse_uri(enrolment.address)
    assert (read.issuer, read.name, read.secret) == ("Chairside", alice.email, enrolment.secret)
    assert len(enrolment.secret) == 32


def test_it_is_stored_sealed_and_only_once_a_code_proved_it(enter, alice, owner):
    identity = enter(alice)
    secret = factors.begin(identity).secret
    assert stored(owner, alice).totp_secret is None
    with pytest.raises(Invalid, match="doesn't match"):
        factors.set_up(identity, PASSWORD, secret, "000000" if code_of(secret) != "000000" else "000001")
    assert stored(owner, alice).totp_secret is None
    codes = factors.set_up(identity, PASSWORD, secret, code_of(secret))
    row = stored(owner, alice)
    assert secret not in row.totp_secret
    assert vault.unseal(row.totp_secret) == secret
    assert len(codes) == len(set(codes)) == len(row.codes) == 10
    assert not {code.encode() for code in codes} & {bytes(found) for found in row.codes}
    assert actions(alice) == ["set_factor"]


def test_a_wrong_password_sets_nothing_up(enter, alice, owner):
    identity, secret = enter(alice), SECRET
    with pytest.raises(Invalid, match="not your current password"):
        factors.set_up(identity, PASSWORD + "x", secret, code_of(secret))
    assert stored(owner, alice).totp_secret is None


def test_guessing_the_password_here_is_limited_like_signing_in_security_14(enter, alice):
    identity = enter(alice)
    for _try in range(5):
        with pytest.raises(Invalid):
            factors.drop(identity, "not the password")
    with pytest.raises(TooMany):
        factors.drop(identity, PASSWORD)
    with pytest.raises(TooMany):
        auth.verify(auth.find_account(alice.email), PASSWORD)


@pytest.mark.parametrize("change", ["set_up", "drop"])
def test_a_change_ends_the_other_sessions_and_not_this_one_security_13(token_of, alice, change):
    here, there = token_of(alice), token_of(alice)
    identity = auth.resume(here)
    waiting = auth.issue_ticket(auth.find_account(alice.email), keep=True)
    if change == "set_up":
        factors.set_up(identity, PASSWORD, SECRET, code_of(SECRET))
    else:
        factors.drop(identity, PASSWORD)
    assert auth.resume(here).user_id == alice.user_id
    with pytest.raises(NotSignedIn):
        auth.resume(there)
    with pytest.raises(NotSignedIn):
        auth.redeem_ticket(waiting, device="test", address="203.0.113.9")


def test_a_session_that_is_over_changes_nothing(enter, alice, owner):
    identity = enter(alice)
    auth.sign_out(identity)
    with pytest.raises(Invalid):
        factors.set_up(identity, PASSWORD, SECRET, code_of(SECRET))
    assert stored(owner, alice).totp_secret is None


def test_a_password_whose_hash_is_renewed_on_the_way_still_sets_it_up(enter, alice, owner):
    """bcrypt's cost was raised since the last sign-in: `verify` stores a new hash while the change is under way."""
    cheap = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    with owner.begin() as connection:
        connection.execute(text("update users set password_hash = :hash where id = :id"), {"hash": cheap, "id": alice.user_id})
    factors.set_up(enter(alice), PASSWORD, SECRET, code_of(SECRET))
    assert auth.find_account(alice.email).factor


def test_the_factor_that_the_clinic_asks_for_is_not_dropped_security_13(enrol, alice):
    from lib import clinics
    identity, secret, _codes = enrol(alice)
    with db.scope(alice) as scope:
        clinics.amend(scope, replace(clinics.get(scope), factor_required=True))
    with pytest.raises(FactorRequired, match="asks everybody for a second factor"):
        factors.drop(identity, PASSWORD)
    assert check(alice, code_of(secret, 1))
    assert "drop_factor" not in actions(alice)


def test_a_wrong_current_password_is_no_failed_sign_in(enter, alice, owner):
    with pytest.raises(Invalid):
        factors.drop(enter(alice), "not the password")
    assert actions(alice) == ["confirm_failed"]
    with owner.connect() as connection:
        kinds = connection.execute(text("select kind from security_events where user_id = :id"), {"id": alice.user_id}).scalars().all()
    assert kinds == ["confirm_failed"]


def test_any_clinic_of_theirs_keeps_the_factor_on_wherever_they_work_right_now_security_13(enrol, alice, charlie):
    identity, secret, _codes = enrol(alice)
    with db.scope(charlie) as scope:
        clinics.amend(scope, replace(clinics.get(scope), factor_required=True))
        token = team.invite(scope, alice.email, "clinician")
    assert not account.get(identity).factor_required
    assert team.accept(token, alice.user_id)
    assert account.get(identity).factor_required
    with pytest.raises(FactorRequired):
        factors.drop(identity, PASSWORD)
    with pytest.raises(FactorRequired), db.scope(identity) as scope:  # the rule is the schema's
        scope.run("select app.set_factor(:session, :hash, null, 0, '{}')", session=identity.session,
                  hash=auth.find_account(alice.email).password_hash)
    assert auth.find_account(alice.email).factor
    assert check(alice, code_of(secret, 1))
    with db.scope(charlie) as scope:
        team.deactivate(scope, alice.user_id)
    factors.drop(identity, PASSWORD)
    assert not auth.find_account(alice.email).factor


def test_dropping_it_leaves_no_code_that_works(enrol, alice, owner):
    identity, secret, codes = enrol(alice)
    factors.drop(identity, PASSWORD)
    assert not auth.find_account(alice.email).factor
    assert stored(owner, alice).codes == []
    assert not check(alice, code_of(secret, 1))
    assert not check(alice, codes[0])
    assert actions(alice)[-3:] == ["drop_factor", "factor_failed", "factor_failed"]


def test_another_phone_voids_the_former_one(enrol, alice):
    identity, former, codes = enrol(alice)
    factors.set_up(identity, PASSWORD, SECRET, code_of(SECRET))
    assert not check(alice, code_of(former, 1))
    assert not check(alice, codes[0])
    assert check(alice, code_of(SECRET, 1))


def test_without_keys_nobody_is_sent_to_scan_anything(enter, alice, monkeypatch):
    identity = enter(alice)
    for name, value in {"CHAIRSIDE_ENV": "production", "JWT_SECRET": "kQ3v9xZp7Lm2Rt8Wc5Yb1Nd6Hf4Js0Ga", "CHAIRSIDE_HOSTS": "c.example"}.items():
        monkeypatch.setenv(name, value)
    settings.get.cache_clear()
    vault._keys.cache_clear()
    try:
        with pytest.raises(SetUpError, match="CHAIRSIDE_ENCRYPTION_KEYS"):
            factors.begin(identity)
    finally:
        monkeypatch.undo()
        settings.get.cache_clear()
        vault._keys.cache_clear()


# codes of the app ----------------------------------------------------------------------------------------------------


def test_a_code_works_once_security_13(enrol, alice):
    _identity, secret, _codes = enrol(alice)
    code = code_of(secret, 1)
    assert check(alice, code)
    assert not check(alice, code)


def test_the_code_that_proved_the_app_does_not_sign_in_as_well_security_13(enter, alice):
    code = code_of(SECRET)
    factors.set_up(enter(alice), PASSWORD, SECRET, code)
    assert not check(alice, code)
    assert check(alice, code_of(SECRET, 1))


def test_an_older_code_is_void_once_a_newer_one_was_used_security_13(enrol, alice, owner):
    _identity, secret, _codes = enrol(alice)
    with owner.begin() as connection:
        connection.execute(text("update users set totp_step = 0 where id = :id"), {"id": alice.user_id})
    older, newer = code_of(secret, -1), code_of(secret)
    assert check(alice, newer)
    assert not check(alice, older)


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_many_who_use_one_code_at_once_exactly_one_gets_in_security_13(enrol, alice, kind):
    _identity, secret, codes = enrol(alice)
    code = code_of(secret, 1) if kind == "app" else codes[3]
    gate, let_in = threading.Barrier(5), []

    def sign_in() -> None:
        gate.wait()
        let_in.append(check(alice, code))
    threads = [threading.Thread(target=sign_in) for _device in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_in) == [False] * 4 + [True]


def test_wrong_codes_are_limited_and_right_ones_are_not_security_14(enrol, alice, bob):
    _identity, _secret, codes = enrol(alice)
    assert all(check(alice, code) for code in codes[:7])
    for _try in range(5):
        assert not check(alice, "000000")
    with pytest.raises(TooMany):
        check(alice, codes[7])
    assert not check(bob, "000000")


def test_a_wrong_code_is_told_to_the_clinic_and_the_operator(enrol, alice, owner):
    enrol(alice)
    check(alice, "000000")
    assert actions(alice)[-1] == "factor_failed"
    with owner.connect() as connection:
        assert connection.execute(text("select kind from security_events where user_id = :id"), {"id": alice.user_id}).scalars().all() == [
            "factor_failed"]


def test_nobody_elses_code_and_no_code_at_all_lets_anybody_in(enrol, alice, bob):
    _identity, secret, codes = enrol(alice)
    for typed in (code_of(secret, 1), codes[0], "", "\0", "\ud800", "x" * 10_000):
        assert not factors.check(uuid4(), typed, email="nobody@example.org")
    for typed in (code_of(secret, 1), codes[0]):
        assert not check(bob, typed)


# recovery codes ------------------------------------------------------------------------------------------------------


def test_a_recovery_code_works_once_and_the_count_goes_down_security_13(enrol, alice):
    identity, _secret, codes = enrol(alice)
    assert account.get(identity).recovery_codes == 10
    assert check(alice, codes[0])
    assert not check(alice, codes[0])
    assert account.get(identity).recovery_codes == 9


def test_a_recovery_code_holds_eighty_bits(enrol, alice):
    _identity, _secret, codes = enrol(alice)
    assert all(len(code.replace("-", "")) == 16 and set(code) <= {*factors.LETTERS, "-"} for code in codes)
    assert len(set(factors.LETTERS)) == 32


def test_a_recovery_code_is_read_however_it_is_typed(enrol, alice):
    _identity, _secret, codes = enrol(alice)
    ways = [str.upper, lambda code: code.replace("-", " "), lambda code: code.replace("-", ""), lambda code: f"  {code}\n",
            lambda code: code.replace("-", "–"), lambda code: code.replace("0", "O").replace("1", "I"), lambda code: code.replace("1", "l")]
    assert [check(alice, way(code)) for way, code in zip(ways, codes, strict=False)] == [True] * 7


def test_new_recovery_codes_void_the_former_ones_and_keep_the_app(enrol, alice):
    identity, secret, codes = enrol(alice)
    with pytest.raises(Invalid, match="not your current password"):
        factors.renew_codes(identity, "not the password")
    renewed = factors.renew_codes(identity, PASSWORD)
    assert len(renewed) == 10
    assert not check(alice, codes[0])
    assert check(alice, renewed[0])
    assert check(alice, code_of(secret, 1))
    assert "renew_recovery_codes" in actions(alice)


def test_recovery_codes_need_a_factor_to_recover_from(enter, alice):
    with pytest.raises(Invalid, match="no second factor"):
        factors.renew_codes(enter(alice), PASSWORD)


def test_a_recovery_code_opens_even_when_the_keys_are_lost(enrol, alice, owner):
    _identity, secret, codes = enrol(alice)
    with owner.begin() as connection:
        connection.execute(text("update users set totp_secret = 'sealed with a lost key' where id = :id"), {"id": alice.user_id})
    with pytest.raises(SetUpError, match="can't be read"):
        check(alice, code_of(secret, 1))
    assert check(alice, codes[0])


# where the clinic wants one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", auth.PERMISSIONS)
def test_without_the_factor_that_a_clinic_asks_for_only_ones_own_account_opens_security_13(alice, bob, mona, rita, permission):
    for who in (alice, bob, mona, rita):
        unready = replace(who, must_enrol=True)
        assert auth.may(unready, permission) == (permission == "account.own")
        if permission != "account.own":
            with pytest.raises(Forbidden, match="second factor"):
                auth.require(unready, permission)


def test_the_clinics_wish_binds_whoever_has_none_and_frees_whoever_sets_one_up(alice, bob, token_of):
    from lib import clinics
    with db.scope(alice) as scope:
        clinics.amend(scope, replace(clinics.get(scope), factor_required=True))
    tokens = {who.full_name: token_of(who) for who in (alice, bob)}
    assert [auth.resume(token).must_enrol for token in tokens.values()] == [True, True]
    factors.set_up(auth.resume(tokens["Bob Brown"]), PASSWORD, SECRET, code_of(SECRET))
    assert [auth.resume(token).must_enrol for token in tokens.values()] == [True, False]
