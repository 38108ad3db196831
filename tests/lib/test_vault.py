"""Secrets at rest."""

import stat
import threading

import pytest
from cryptography.fernet import Fernet

from lib import settings, vault
from lib.errors import SetUpError


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Settings of this test alone, with an empty data folder."""
    def use(**values: str) -> None:
        for name, value in {"CHAIRSIDE_DATA": str(tmp_path / "data"), **values}.items():
            monkeypatch.setenv(name, value)
        forget()

    def forget() -> None:
        settings.get.cache_clear()
        vault._keys.cache_clear()
    yield use
    monkeypatch.undo()
    forget()


PRODUCTION = {"CHAIRSIDE_ENV": "production", "JWT_SECRET": "kQ3v9xZp7Lm2Rt8Wc5Yb1Nd6Hf4Js0Ga", "CHAIRSIDE_HOSTS": "c.example"}
FIRST, SECOND = (Fernet.generate_key().decode() for _key in range(2))


@pytest.mark.parametrize("text", ["", "JBSWY3DPEHPK3PXP", "naïve 🦷 \0 text"])
def test_what_is_sealed_opens_again_and_shows_nothing(environment, text):
    environment(CHAIRSIDE_ENCRYPTION_KEYS=FIRST)
    sealed = vault.seal(text)
    assert vault.unseal(sealed) == text
    assert not text or text not in sealed
    assert vault.seal(text) != sealed


def test_an_older_key_still_opens_and_renewing_makes_it_dispensable(environment):
    environment(CHAIRSIDE_ENCRYPTION_KEYS=FIRST)
    sealed = vault.seal("secret")
    environment(CHAIRSIDE_ENCRYPTION_KEYS=f"{SECOND}, {FIRST}")
    renewed = vault.renew(sealed)
    assert vault.unseal(sealed) == "secret"
    environment(CHAIRSIDE_ENCRYPTION_KEYS=SECOND)
    assert vault.unseal(renewed) == "secret"
    with pytest.raises(SetUpError, match="can't be read"):
        vault.unseal(sealed)


@pytest.mark.parametrize("garbled", ["", "x", "gAAAA", "ä", "a" * 200])
def test_what_was_never_sealed_is_told_in_a_sentence(environment, garbled):
    environment(CHAIRSIDE_ENCRYPTION_KEYS=FIRST)
    with pytest.raises(SetUpError, match="can't be read"):
        vault.unseal(garbled)


def test_production_refuses_without_keys_and_makes_none(environment, tmp_path):
    environment(**PRODUCTION)
    for attempt in (vault.require_keys, lambda: vault.seal("secret"), lambda: vault.unseal("secret")):
        with pytest.raises(SetUpError, match="CHAIRSIDE_ENCRYPTION_KEYS"):
            attempt()
    assert not (tmp_path / "data" / "encryption.key").exists()


def test_production_with_a_key_seals(environment):
    environment(**PRODUCTION, CHAIRSIDE_ENCRYPTION_KEYS=FIRST)
    vault.require_keys()
    assert vault.unseal(vault.seal("secret")) == "secret"


@pytest.mark.parametrize("keys", ["tooshort", FIRST + ",", f"{FIRST}x", FIRST[:-1]], ids=["short", "comma", "long", "cut"])
def test_a_key_that_is_none_is_refused_at_start(environment, keys):
    environment(CHAIRSIDE_ENCRYPTION_KEYS=keys)
    with pytest.raises(SetUpError, match="make key"):
        settings.get()


def test_developments_own_key_is_private_and_survives_a_restart(environment, tmp_path):
    environment()
    sealed = vault.seal("secret")
    vault._keys.cache_clear()
    assert vault.unseal(sealed) == "secret"
    path = tmp_path / "data" / "encryption.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_processes_that_start_at_once_agree_on_one_key(environment):
    environment()
    sealed, gate = [], threading.Barrier(16)

    def start() -> None:
        gate.wait()
        key = vault._development_key()
        sealed.append(Fernet(key).encrypt(b"secret"))
    threads = [threading.Thread(target=start) for _process in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {vault.unseal(text.decode()) for text in sealed} == {"secret"}
    assert len(sealed) == 16
