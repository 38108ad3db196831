"""The environment, and what production insists on."""

import pytest
from pydantic import SecretStr

from lib import settings
from lib.errors import SetUpError

NAMES = ("CHAIRSIDE_ENV", "CHAIRSIDE_SIGNUP", "DATABASE_URL", "DATABASE_OWNER_URL", "JWT_SECRET", "CHAIRSIDE_BCRYPT_ROUNDS",
         "CHAIRSIDE_HOSTS", "CHAIRSIDE_URL", "CHAIRSIDE_TRUSTED_PROXIES", "REDIS_URL")
PRODUCTION = {"CHAIRSIDE_ENV": "production", "JWT_SECRET": "kX3v9QpL7wZr2TnY8mBc5HsJ4dGf6A1eUo0iRtVy"}


@pytest.fixture
def environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def read(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings.get.cache_clear()
        return settings.get()
    yield read
    settings.get.cache_clear()


def test_development_needs_nothing(environment):
    assert environment().sign_up == "open"


def test_production_lets_only_the_first_clinic_sign_up(environment):
    assert environment(**PRODUCTION, CHAIRSIDE_HOSTS="clinic.example").sign_up == "first"


@pytest.mark.parametrize("secret", ["", "short", PRODUCTION["JWT_SECRET"][:31], "s" * 40, "change-me-" + PRODUCTION["JWT_SECRET"]])
def test_production_refuses_an_empty_or_short_secret(environment, secret):
    with pytest.raises(SetUpError, match="JWT_SECRET"):
        environment(CHAIRSIDE_ENV="production", JWT_SECRET=secret)


def test_production_refuses_to_hold_the_owners_address(environment):
    with pytest.raises(SetUpError, match="DATABASE_OWNER_URL"):
        environment(**PRODUCTION, DATABASE_OWNER_URL="postgresql://owner@db/x")


@pytest.mark.parametrize(("values", "hosts"), [
    ({"CHAIRSIDE_HOSTS": "Clinic.example, [2001:db8::1]"}, {"clinic.example", "[2001:db8::1]"}),
    ({"CHAIRSIDE_URL": "https://clinic.example"}, {"clinic.example"}), ({"CHAIRSIDE_URL": "https://clinic.example:8443"}, {"clinic.example"}),
    ({"CHAIRSIDE_URL": "https://clinic.example", "CHAIRSIDE_HOSTS": "inside"}, {"clinic.example", "inside"})])
def test_hosts_come_from_their_setting_and_from_the_public_address(environment, values, hosts):
    assert environment(**PRODUCTION, **values).host_names == hosts


@pytest.mark.parametrize("given", [{}, PRODUCTION])
def test_without_a_name_only_this_machine_is_answered(environment, given):
    assert environment(**given).host_names == {"localhost", "127.0.0.1", "[::1]"}


@pytest.mark.parametrize(("name", "value"), [("CHAIRSIDE_ENV", "prod"), ("CHAIRSIDE_BCRYPT_ROUNDS", "4"), ("CHAIRSIDE_SIGNUP", "yes"),
                                             ("CHAIRSIDE_TRUSTED_PROXIES", "10.0.0.0/8, the-proxy"), ("REDIS_URL", "http://redis")])
def test_a_wrong_value_is_named(environment, name, value):
    with pytest.raises(SetUpError, match=name):
        environment(**{name: value})


@pytest.mark.parametrize("name", ["AI_API_KEY", "OPENROUTER_API_KEY", "AI_SERVICE_KEY"])
def test_a_key_loses_the_blanks_around_it_and_may_have_none_inside(environment, name):
    values = environment(**{name: " sk-abc\r\n"}).model_dump()
    assert [value.get_secret_value() for value in values.values() if isinstance(value, SecretStr)] == ["sk-abc"]

    for key in ("sk abc", "sk-\u00e4", " "):
        with pytest.raises(SetUpError, match=f"{name}: .*without blanks") as refused:
            environment(**{name: key})
        assert key.strip() == "" or key not in str(refused.value)


def test_a_mounted_file_gives_the_value(environment, tmp_path):
    (tmp_path / "secret").write_text("s" * 40 + "\n")
    found = environment(JWT_SECRET_FILE=str(tmp_path / "secret")).jwt_secret
    assert found
    assert found.get_secret_value() == "s" * 40
    assert "sss" not in repr(found)


def test_a_missing_mounted_file_is_named(environment, tmp_path):
    with pytest.raises(SetUpError, match="nowhere"):
        environment(JWT_SECRET_FILE=str(tmp_path / "nowhere"))
