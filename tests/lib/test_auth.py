"""Signing up and in, sessions, and what each role may do."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import bcrypt
import jwt
import pytest
from sqlalchemy import text

from lib import auth, db, passwords, settings, tokens
from lib.errors import AppError, Conflict, Forbidden, Invalid, NotSignedIn
from tests.conftest import PASSWORD

ROLES = {"owner", "manager", "clinician", "receptionist"}


def sign_up(**changes):
    values = {"full_name": "José Müller-Nguyễn", "clinic_name": "Zahnärzte am Park", "email": f"{uuid4().hex}@example.org",
              "password": PASSWORD, "country": "DE", "time_zone": "Europe/Berlin"}
    return auth.sign_up(**{**values, **changes})


def sign_in(email: str) -> str:
    signed_in = auth.redeem_ticket(auth.issue_ticket(auth.find_account(email), keep=False), device="test", address="127.0.0.1")
    return tokens.read(signed_in.token).id


@pytest.fixture
def policy(monkeypatch):
    def set_to(value: str) -> None:
        monkeypatch.setenv("CHAIRSIDE_SIGNUP", value)
        settings.get.cache_clear()
    yield set_to
    settings.get.cache_clear()


def test_signing_up_makes_a_clinic_and_its_owner(database):
    account = sign_up()
    identity = auth.resume(sign_in(account.email))
    assert (identity.role, identity.full_name, identity.clinic_name) == ("owner", "José Müller-Nguyễn", "Zahnärzte am Park")
    assert (identity.country, identity.time_zone, identity.currency, identity.emergency_number) == ("DE", "Europe/Berlin", "EUR", "112")


def test_an_address_signs_up_once_however_it_is_written(database):
    account = sign_up()
    with pytest.raises(Conflict, match="sign in instead"):
        sign_up(email=f"  {account.email.upper()} ")


@pytest.mark.parametrize(("password", "reason"), [
    ("elevenchars", "12 characters"), ("password123456", "guess"), ("ä" * 37, "72 bytes"),
    (" padded correct horse ", "space"), ("correct\0horse staple", "control"), ("Müller-Nguyễn1", "guess"), ("\ud800" * 12, "control"),
])
def test_a_weak_or_impossible_password_is_refused_with_a_reason(database, password, reason):
    with pytest.raises(Invalid, match=reason):
        sign_up(password=password)


@pytest.mark.parametrize("password", ["correct horse staple 9 " + "x" * 49, "🦷 emoji 🪥 are fine 🙂 too", "пароль из четырёх слов"])
def test_a_long_or_foreign_password_is_fine(database, password):
    assert auth.verify(auth.find_account(sign_up(password=password).email), password)


@pytest.mark.parametrize("password", ["bob brown bob brown", "BobBrown2026!", "brown-dental-2026", "bob.brown@example.org", "chairsidechairside"])
def test_ones_own_name_and_ones_clinics_make_no_password(password):
    """SECURITY 11."""
    with pytest.raises(Invalid, match="easy to guess"):
        passwords.check(password, "Bob Brown", "Brown Dental", "bob.brown@example.org")
    passwords.check(f"{password} saxophone"[-70:], "Bob Brown", "Brown Dental", "bob.brown@example.org")


def test_most_common_passwords_are_refused_even_when_they_are_long(shared):
    """Those that pass look random to zxcvbn, which is the rule the design settled on."""
    common = (shared / "bad_inputs" / "common_passwords_django20k.txt").read_text().split()
    long_enough = [word for word in common if len(word) >= 12]
    assert len(long_enough) > 100
    assert sum(_refused(word) for word in long_enough) / len(long_enough) > 0.7


def _refused(password: str) -> bool:
    try:
        passwords.check(password)
    except Invalid:
        return True
    return False


@pytest.mark.parametrize("change", [{"full_name": " "}, {"clinic_name": ""}, {"email": "nonsense"}, {"email": "a" * 250 + "@x.org"},
                                    {"full_name": "x" * 256}, {"full_name": "a\0b"}, {"country": "XX"}, {"full_name": "12345"}])
def test_a_bad_field_is_refused_with_a_sentence(database, change):
    with pytest.raises(Invalid) as refusal:
        sign_up(**change)
    assert str(refusal.value)[-1] in ".g"


def test_closed_means_closed_but_not_for_the_operator(database, policy):
    policy("closed")
    assert not auth.sign_up_offered()
    with pytest.raises(Forbidden):
        sign_up()
    assert sign_up(only_first=False).id


def test_first_means_the_first_only(alice, policy):
    policy("first")
    assert not auth.sign_up_offered()
    with pytest.raises(Forbidden):
        sign_up()


def test_right_and_wrong_passwords(alice):
    account = auth.find_account(alice.email.upper())
    assert auth.verify(account, PASSWORD)
    for wrong in ("", PASSWORD + "x", PASSWORD + "x" * 100, "\0", "\ud800"):
        assert not auth.verify(account, wrong)


def test_an_unknown_address_gets_a_stand_in_of_the_same_cost(alice):
    stranger = auth.find_account("nobody@example.org")
    assert stranger.id is None
    assert stranger.password_hash.split("$")[2] == auth.find_account(alice.email).password_hash.split("$")[2]
    assert not auth.verify(stranger, PASSWORD)


def test_a_failed_sign_in_is_recorded_without_the_address(alice, owner):
    auth.verify(auth.find_account(alice.email), "wrong password here")
    with owner.connect() as connection:
        row = connection.execute(text("""
            select kind, account_hash from security_events where user_id = :id
            """), {"id": alice.user_id}).one()
    assert row.kind == "sign_in_failed"
    assert alice.email not in row.account_hash
    assert len(row.account_hash) == 64


def test_a_cheaper_hash_takes_as_much_work_to_refuse_as_a_strangers(monkeypatch, alice):
    """SECURITY 11: raising the rounds must not tell who has an account."""
    costs, real = [], passwords.bcrypt.checkpw
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda word, known: costs.append(2 ** int(known.split(b"$")[2])) or real(word, known))
    configured = settings.get().model_copy(update={"bcrypt_rounds": 13})
    monkeypatch.setattr(settings, "get", lambda: configured)
    for email in (alice.email, "nobody@example.org"):
        account, costs[:] = auth.find_account(email), []
        assert not auth.verify(account, "wrong password here")
        assert sum(costs) == 2 ** 13


def test_a_cheaper_hash_is_renewed_at_sign_in(alice, owner):
    """SECURITY 10."""
    cheap = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    with owner.begin() as connection:
        connection.execute(text("update users set password_hash = :hash where id = :id"), {"hash": cheap, "id": alice.user_id})
    assert auth.verify(auth.find_account(alice.email), PASSWORD)
    renewed = auth.find_account(alice.email)
    assert renewed.password_hash.startswith("$2b$12$")
    assert auth.verify(renewed, PASSWORD)


def test_a_ticket_works_once_and_not_for_long(alice, owner):
    ticket = auth.issue_ticket(auth.find_account(alice.email), keep=False)
    auth.redeem_ticket(ticket, device="test", address="127.0.0.1")
    with pytest.raises(NotSignedIn):
        auth.redeem_ticket(ticket, device="test", address="127.0.0.1")
    late = auth.issue_ticket(auth.find_account(alice.email), keep=False)
    with owner.begin() as connection:
        connection.execute(text("update tickets set expires_at = now() where id = :id"), {"id": tokens.digest(late)})
    with pytest.raises(NotSignedIn):
        auth.redeem_ticket(late, device="test", address="127.0.0.1")


@pytest.mark.parametrize(("change", "kept"), [
    ("seen_at = now() - interval '29 minutes'", True), ("seen_at = now() - interval '31 minutes'", False),
    ("created_at = now() - interval '13 hours'", False), ("revoked_at = now()", False),
    ("keep = true, seen_at = now() - interval '6 days', created_at = now() - interval '6 days'", True),
    ("keep = true, created_at = now() - interval '8 days'", False),
])
def test_a_session_ends_when_idle_old_or_revoked(alice, owner, token_of, change, kept):
    token_id = token_of(alice)
    with owner.begin() as connection:
        connection.execute(text(f"update sessions set {change} where id = :id"), {"id": tokens.digest(token_id)})
    if kept:
        assert auth.resume(token_id).user_id == alice.user_id
    else:
        with pytest.raises(NotSignedIn):
            auth.resume(token_id)


def test_looking_is_no_activity(alice, owner, token_of):
    token_id = token_of(alice)
    def seen() -> datetime:
        with owner.connect() as connection:
            return connection.execute(text("select seen_at from sessions where id = :id"), {"id": tokens.digest(token_id)}).scalar_one()
    with owner.begin() as connection:
        connection.execute(text("update sessions set seen_at = now() - interval '5 minutes' where id = :id"), {"id": tokens.digest(token_id)})
    before = seen()
    auth.resume(token_id, active=False)
    assert seen() == before
    auth.resume(token_id)
    assert seen() > before


def test_signing_out_ends_the_session(alice, token_of):
    token_id = token_of(alice)
    auth.sign_out(auth.resume(token_id))
    with pytest.raises(NotSignedIn):
        auth.resume(token_id)


def test_a_former_colleague_is_out_at_once(bob, owner, token_of):
    token_id = token_of(bob)
    with owner.begin() as connection:
        connection.execute(text("update memberships set ended_at = now() where user_id = :id"), {"id": bob.user_id})
    with pytest.raises(NotSignedIn):
        auth.resume(token_id)
    with pytest.raises(Forbidden), db.scope(bob):
        pass


def forged(**changes) -> str:
    now = datetime.now(UTC)
    claims = {"sub": "x", "email": "e", "iat": now, "exp": now + timedelta(hours=1), "jti": "t", **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, tokens._secrets()[0], "HS256")


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "ä" * 500], ids=["none", "empty", "word", "dots", "umlauts"])
def test_a_garbled_token_is_refused(database, token):
    with pytest.raises(NotSignedIn):
        tokens.read(token)


def test_only_our_own_complete_and_current_tokens_are_read(database):
    assert tokens.read(forged()).id == "t"
    past = datetime.now(UTC) - timedelta(seconds=5)
    for changes in ({"exp": past}, {"jti": None}, {"sub": None}, {"email": None}, {"exp": None}, {"iat": None}):
        with pytest.raises(NotSignedIn):
            tokens.read(forged(**changes))
    for token in (jwt.encode({"jti": "t"}, "", "none"), jwt.encode(jwt.decode(forged(), options={"verify_signature": False}), "k" * 40)):
        with pytest.raises(NotSignedIn):
            tokens.read(token)


def test_every_permission_names_known_roles():
    assert all(roles <= ROLES and roles for roles in auth.PERMISSIONS.values())


def test_the_narrow_permissions_are_as_the_design_says():
    assert auth.PERMISSIONS["patients.notes"] == {"owner", "clinician"}
    assert auth.PERMISSIONS["chat.patient"] == {"owner", "clinician"}
    assert auth.PERMISSIONS["patients.import"] == {"owner", "clinician"}
    assert "receptionist" not in auth.PERMISSIONS["patients.export"]
    assert auth.PERMISSIONS["analytics.read"] == {"owner", "manager"}


def test_a_role_without_the_permission_is_refused(rita):
    with pytest.raises(Forbidden):
        auth.require(rita, "patients.import")
    auth.require(rita, "patients.read")


def test_sign_in_and_out_are_in_the_audit_log(alice):
    auth.sign_out(auth.resume(sign_in(alice.email)))
    with db.scope(alice) as scope:
        actions = [row[0] for row in scope.connection.execute(text("select action from audit_log order by id"))]
    assert actions == ["sign_in", "sign_out"]


def test_nothing_but_an_app_error_ever_leaves(database):
    for email in ("\0", "\ud800", "x" * 10_000, "' or 1=1 --"):
        assert auth.find_account(email).id is None
        with pytest.raises(AppError):
            sign_up(email=email)
