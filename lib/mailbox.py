"""Whether a text has the shape of an e-mail address. Whether anybody reads it there is not asked."""

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from lib.errors import Invalid
from lib.texts import _

LONGEST = 255
_CLOSED = re.compile(rf"(?<=[@.])({'|'.join(SPECIAL_USE_DOMAIN_NAMES)})$", re.IGNORECASE)


class NotAMailbox(Invalid):
    """This does not look like an email address. Example: name@clinic.org"""


def check(text: str) -> str:
    """The address as typed, without blanks around it. Raises NotAMailbox with one sentence."""
    text = text.strip()
    if len(text) > LONGEST:
        sentence = _("An email address has at most {most} characters; this one has {n}.")
        raise NotAMailbox(sentence.format(most=LONGEST, n=len(text)))
    try:
        validate_email(_in_the_open(text), check_deliverability=False)
    except EmailNotValidError:
        raise NotAMailbox from None
    return text


def _in_the_open(text: str) -> str:
    """A closed network's own domain, anna@clinic.local, is as good as any; the library refuses it by its last word."""
    return _CLOSED.sub("x.com", text)
