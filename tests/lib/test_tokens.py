"""SECURITY 12: what a cookie's token must be, and what happens to every other."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from lib import auth, settings, tokens
from lib.errors import NotSignedIn, SetUpError

SECRET, FORMER = "s3cr3t-4nd-l0ng-en0ugh-f0r-hs256-x", "th3-0ne-bef0re-4nd-just-4s-l0ng-y"


@pytest.fixture
def secrets_of(monkeypatch):
    """Settings with these secrets, as a restart would read them."""
    def make(**given: str) -> None:
        configured = settings.Settings(**given)
        monkeypatch.setattr(settings, "get", lambda: configured)
        tokens._secrets.cache_clear()
    yield make
    tokens._secrets.cache_clear()


def claims(**changes) -> dict:
    now = datetime.now(UTC)
    return {"sub": str(uuid4()), "email": "a@example.org", "iat": now, "exp": now + timedelta(hours=1), "jti": "t" * 43, **changes}


def forge(key: str = SECRET, algorithm: str = "HS256", **changes) -> str:
    return jwt.encode({name: value for name, value in claims(**changes).items() if value is not None}, key, algorithm)


@pytest.mark.parametrize("token", [
    jwt.encode(claims(), "", "none"), forge("k" * 40), forge(algorithm="HS512"), forge(iat=datetime.now(UTC) + timedelta(hours=1)),
    forge(exp=datetime.now(UTC) - timedelta(seconds=1)), forge(nbf=datetime.now(UTC) + timedelta(hours=1)), forge(aud="elsewhere"),
    *[forge(**{name: None}) for name in ("sub", "email", "iat", "exp", "jti")],
], ids=["none", "wrong key", "HS512", "from the future", "expired", "not yet", "for somebody else", "no sub", "no email", "no iat",
        "no exp", "no jti"])
def test_an_odd_token_is_refused(secrets_of, token):
    secrets_of(JWT_SECRET=SECRET)
    assert tokens.read(forge()).id == "t" * 43
    with pytest.raises(NotSignedIn):
        tokens.read(token)


@pytest.mark.parametrize("changes", [{"jti": ["x"]}, {"jti": 7}, {"sub": 7}, {"exp": "soon"}, {"iat": "now"}], ids=str)
def test_a_claim_of_the_wrong_kind_is_refused(secrets_of, changes):
    secrets_of(JWT_SECRET=SECRET)
    body = {**claims(), **changes}
    body = {name: int(value.timestamp()) if isinstance(value, datetime) else value for name, value in body.items()}
    parts = jwt.api_jws.encode(json.dumps(body).encode(), SECRET, "HS256")
    with pytest.raises(NotSignedIn):
        tokens.read(parts)


def test_a_token_of_one_person_with_the_session_of_another_is_refused(alice, bob, token_of):
    stolen = tokens.make(alice.user_id, alice.email, token_of(bob), auth.NORMAL)
    with pytest.raises(NotSignedIn):
        auth.recognise(stolen)


def test_a_former_secret_still_reads_and_never_signs(secrets_of):
    """The window of a rotation: as long as JWT_SECRET_PREVIOUS is set, and no longer."""
    old = forge(FORMER)
    secrets_of(JWT_SECRET=SECRET, JWT_SECRET_PREVIOUS=FORMER)
    assert tokens.read(old).id == "t" * 43
    made = tokens.make(uuid4(), "a@example.org", "t", auth.NORMAL)
    assert jwt.decode(made, SECRET, algorithms=["HS256"])["jti"] == "t"
    secrets_of(JWT_SECRET=SECRET)
    with pytest.raises(NotSignedIn):
        tokens.read(old)


@pytest.mark.parametrize("secret", ["", "short", "x" * 64, "change-me-change-me-change-me-change-me", "your-secret-your-secret-your-secret-1"],
                         ids=["empty", "short", "one letter", "placeholder", "another placeholder"])
def test_production_does_not_start_with_a_guessable_secret(secret):
    with pytest.raises(SetUpError, match="JWT_SECRET"):
        settings._check(settings.Settings(CHAIRSIDE_ENV="production", JWT_SECRET=secret, CHAIRSIDE_URL="https://clinic.example.org"))


def test_production_starts_with_a_random_secret():
    settings._check(settings.Settings(CHAIRSIDE_ENV="production", JWT_SECRET=SECRET, CHAIRSIDE_URL="https://clinic.example.org"))


def test_a_token_that_was_read_before_expires_all_the_same(secrets_of, monkeypatch):
    secrets_of(JWT_SECRET=SECRET)
    token = forge()
    assert tokens.read(token).id == "t" * 43
    monkeypatch.setattr(tokens.time, "time", lambda: datetime.now(UTC).timestamp() + 3601)
    with pytest.raises(NotSignedIn):
        tokens.read(token)
