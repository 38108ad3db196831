"""Forgotten passwords, with a mail server that really listens. SECURITY 13."""

import re
import socket
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import text

from lib import auth, db, factors, mail, passwords, resets, settings
from lib.errors import Invalid, NotSignedIn, TooMany
from tests.conftest import PASSWORD

NEW = "umbrella saxophone 71 lantern"


class Inbox:
    def __init__(self) -> None:
        self.mails: list = []

    async def handle_DATA(self, _server, _session, envelope) -> str:
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture
def inbox(monkeypatch):
    with mail_server(monkeypatch) as found:
        yield found


@pytest.fixture
def old_inbox(monkeypatch):
    """Of a server that knows no SMTPUTF8."""
    with mail_server(monkeypatch, enable_SMTPUTF8=False) as found:
        yield found


@contextmanager
def mail_server(monkeypatch, **abilities):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Inbox(), hostname="127.0.0.1", port=port, **abilities)
    controller.start()
    configured = settings.get().model_copy(update={"smtp_url": settings.SecretStr(f"smtp://127.0.0.1:{port}"),
                                                   "mail_from": "chairside@example.org", "url": "https://clinic.example.org"})
    monkeypatch.setattr(settings, "get", lambda: configured)
    yield controller.handler
    controller.stop()


@pytest.fixture
def wait_for_mail(inbox, do_jobs):
    """Links are asked for in the background, one after the other, and sent by the worker."""
    def wait() -> None:
        resets._post.submit(int).result(20)
        do_jobs()
    return wait


@pytest.fixture
def link_of(inbox, wait_for_mail):
    def ask(who) -> str:
        resets.ask(who.email, address="10.0.0.1")
        wait_for_mail()
        body = next(mail for mail in reversed(inbox.mails) if mail.rcpt_tos == [who.email]).content.decode()
        return re.search(r"reset=3?D?([\w-]{43})", body.replace("=\r\n", ""))[1]
    return ask


def test_a_link_sets_one_new_password_and_ends_every_session(link_of, token_of, alice):
    session, token = token_of(alice), link_of(alice)
    resets.choose(token, NEW)
    assert auth.verify(auth.find_account(alice.email), NEW)
    assert not auth.verify(auth.find_account(alice.email), PASSWORD)
    with pytest.raises(NotSignedIn):
        auth.resume(session)
    with pytest.raises(Invalid, match="used already"):
        resets.choose(token, "another umbrella saxophone 72")


def test_a_refused_password_leaves_the_link_good(link_of, alice):
    token = link_of(alice)
    for bad in ("short", "a" * 73, "😀" * 19, "password12345", f"{alice.full_name} 2026"):
        with pytest.raises(Invalid):
            resets.choose(token, bad)
    resets.choose(token, NEW)
    assert auth.verify(auth.find_account(alice.email), NEW)


def test_an_expired_garbled_or_foreign_link_opens_nothing(link_of, owner, alice):
    token = link_of(alice)
    with owner.begin() as connection:
        connection.execute(text("update password_resets set expires_at = now()"))
    for dead in (token, "", "x", "\0", "ä" * 500, token[:-1] + ("A" if token[-1] != "A" else "B")):
        assert resets.find(dead) is None
        with pytest.raises(Invalid):
            resets.choose(dead, NEW)
    assert auth.verify(auth.find_account(alice.email), PASSWORD)


def test_an_unknown_address_gets_the_same_answer_and_no_mail(inbox, wait_for_mail, alice):
    for email in ("nobody@example.org", "\0", "'; drop table users --", alice.email):
        assert resets.ask(email, address="10.0.0.1") is None
    wait_for_mail()
    assert [envelope.rcpt_tos for envelope in inbox.mails] == [[alice.email]]


def test_asking_does_the_same_for_a_known_and_an_unknown_address(monkeypatch, inbox, alice):
    """SECURITY 11: what differs happens after the answer, so no clock tells them apart."""
    later = []
    monkeypatch.setattr(resets._post, "submit", lambda *job: later.append(job))
    monkeypatch.setattr(db, "nobody", lambda: pytest.fail("asked the database"))
    for email in (alice.email, "nobody@example.org"):
        resets.ask(email, address="10.0.0.1")
    assert [job[1] for job in later] == [alice.email, "nobody@example.org"]


def test_the_link_in_a_mail_leads_to_the_installations_own_address(inbox, wait_for_mail, alice):
    """SECURITY 7: never to a host that a request named."""
    resets.ask(alice.email, address="10.0.0.1")
    wait_for_mail()
    assert b"https://clinic.example.org/?reset" in inbox.mails[0].content.replace(b"=\r\n", b"")


def test_a_domain_of_other_letters_needs_no_special_mail_server(old_inbox):
    mail.send("jo@KÄFER.example", "Grüße", "text")
    assert [envelope.rcpt_tos for envelope in old_inbox.mails] == [["jo@xn--kfer-loa.example"]]
    assert b"To: jo@xn--kfer-loa.example" in old_inbox.mails[0].content
    mail.send("jo@straße.example", "subject", "text")
    assert old_inbox.mails[1].rcpt_tos == ["jo@xn--strae-oqa.example"]  # not strasse.example, which is somebody else's


def test_a_new_password_does_not_bypass_the_second_factor(link_of, token_of, alice):
    import pyotp
    secret = factors.begin(alice).secret
    factors.set_up(auth.resume(token_of(alice)), PASSWORD, secret, pyotp.TOTP(secret).now())
    resets.choose(link_of(alice), NEW)
    assert auth.find_account(alice.email).factor


def test_the_eleventh_request_of_one_address_waits(inbox, database):
    for n in range(10):
        resets.ask(f"nobody{n}@example.org", address="10.0.0.7")
    with pytest.raises(TooMany):
        resets.ask("nobody@example.org", address="10.0.0.7")


def test_a_mail_server_that_is_away_is_tried_again_and_nobody_is_told(monkeypatch, alice, owner, do_jobs, capsys, caplog):
    configured = settings.get().model_copy(update={"smtp_url": settings.SecretStr("smtp://127.0.0.1:1"), "mail_from": "c@example.org",
                                                   "url": "https://clinic.example.org"})
    monkeypatch.setattr(settings, "get", lambda: configured)
    resets.ask(alice.email, address="10.0.0.1")
    resets._post.submit(int).result(20)
    do_jobs()
    with owner.connect() as connection:
        [job] = connection.execute(text("""
            select status::text, attempts, scheduled_at > now() + interval '1 second' as later
            from procrastinate.procrastinate_jobs where task_name = 'mail_reset' and args ->> 'id' = :id
            """), {"id": str(alice.user_id)}).all()
    assert (job.status, job.attempts, job.later) == ("todo", 1, True)
    assert alice.email not in "".join(capsys.readouterr()) + caplog.text


def test_no_password_is_ever_hashed_for_a_dead_link(monkeypatch, database):
    """bcrypt takes a quarter of a second: not for strangers."""
    monkeypatch.setattr(passwords, "make_hash", lambda _password: pytest.fail("hashed"))
    with pytest.raises(Invalid):
        resets.choose("x" * 43, NEW)
