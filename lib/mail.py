"""Mails to people, by the SMTP server of SMTP_URL; without one, links are handed over by hand."""

import re
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import idna

from lib import quarantine, settings
from lib.errors import Undelivered

DEADLINE = 15  # seconds for each step with the mail server
FOREIGN_DOMAIN = re.compile(r"(?<=@)[^@\s>]*[^\x00-\x7f@\s>][^@\s>]*")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_on() -> bool:
    """A restored copy that nobody released yet writes to nobody."""
    return settings.get().smtp_url is not None and not quarantine.is_on()


def send(to: str, subject: str, text: str) -> None:
    """A job's work: nobody waits for a mail server. Raises Undelivered, and the job tries again later."""
    _send([to], _compose(to, subject, text))


def send_to_all(to: Sequence[str], subject: str, text: str) -> None:
    """The same mail to several people in one step, so that a second try reaches nobody twice; none learns who else got it."""
    _send(to, _compose(settings.get().mail_from or "", subject, text))


def _send(to: Sequence[str], message: EmailMessage) -> None:
    if quarantine.is_on():
        raise Undelivered(reason="this restored copy is not released")
    try:
        with _connect() as server:
            server.send_message(message, to_addrs=[_in_ascii(address) for address in to])
    except (OSError, smtplib.SMTPException) as error:
        raise Undelivered(reason=type(error).__name__) from None  # its words may hold the address


def _compose(to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = _in_ascii(settings.get().mail_from or ""), _in_ascii(to), subject
    message.set_content(text)
    return message


def _in_ascii(address: str) -> str:
    """A domain like käfer.example in the spelling that every mail server knows, xn--kfer-loa.example."""
    return FOREIGN_DOMAIN.sub(lambda found: idna.encode(found[0], uts46=True).decode(), address)


def _connect() -> smtplib.SMTP:
    """smtps:// speaks TLS from the start; smtp:// changes to it before anything is said, but on this machine."""
    configured = settings.get().smtp_url
    assert configured
    url = urlsplit(configured.get_secret_value())
    host, context = url.hostname or "localhost", ssl.create_default_context()
    server = (smtplib.SMTP_SSL(host, url.port or 465, timeout=DEADLINE, context=context) if url.scheme == "smtps"
              else smtplib.SMTP(host, url.port or 587, timeout=DEADLINE))
    if url.scheme != "smtps" and host not in LOOPBACK:
        server.starttls(context=context)
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))
    return server
