"""Passwords: what makes a good one, and their hashes."""

import re
import secrets
import threading
from functools import cache

import bcrypt
from zxcvbn import zxcvbn

from lib import settings
from lib.errors import Invalid
from lib.texts import _

SHORTEST, LONGEST_BYTES = 12, 72
OURS = ("chairside", "dental", "clinic")
LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"  # bcrypt's own
_slots = threading.BoundedSemaphore(2)  # bcrypt takes a core for a quarter of a second: two of them, however many sign in


def check(password: str, *known: str) -> None:
    """Length and guessability, no composition rules (NIST 800-63B). `known`: words an attacker would try first."""
    if password != password.strip():
        raise Invalid(_("A password can't begin or end with a space."))
    if len(password) < SHORTEST:
        raise Invalid(_("A password needs at least 12 characters; this one has {n}. A few unrelated words work well.").format(
            n=len(password)))
    if _size(password) > LONGEST_BYTES:
        raise Invalid(_("A password has room for 72 bytes; this one takes {n}. Please shorten it.").format(n=_size(password)))
    if "\0" in password or not _encodes(password):
        raise Invalid(_("A password can't contain invisible control characters."))
    words = [word for text in known for word in (text, "".join(text.split()), *text.replace("@", " ").replace(".", " ").split())
             if word]
    if zxcvbn(password, user_inputs=[*words, *OURS])["score"] < 3 or _is_made_of(password, {*words, *OURS}):
        raise Invalid(_("This password is easy to guess. A few unrelated words work well."))


def _is_made_of(password: str, words: set[str]) -> bool:
    """Known words and hardly anything else: zxcvbn takes a name written twice for two guesses."""
    known = sorted((re.escape(word.casefold()) for word in words if len(word) > 2), key=len, reverse=True)
    left = re.sub("|".join(known), "", password.casefold())
    return left != password.casefold() and len(re.sub(r"[\W_]", "", left)) < 6


def make_hash(password: str) -> str:
    with _slots:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(settings.get().bcrypt_rounds)).decode()


def matches(password: str, password_hash: str) -> bool:
    """Takes the same time for every input: what no password can be is compared like any other."""
    secret = password.encode("utf-8", "replace")
    tried = secret[:LONGEST_BYTES].replace(b"\0", b"?")
    with _slots:
        right = bcrypt.checkpw(tried, password_hash.encode())
        for rounds in range(_rounds(password_hash), settings.get().bcrypt_rounds) if not right else ():
            bcrypt.checkpw(tried, _nobodys_hash(rounds).encode())  # an older hash may not be told by its speed
    return right and len(secret) <= LONGEST_BYTES and b"\0" not in secret


def is_cheap(password_hash: str) -> bool:
    """Made with fewer rounds than are asked for now."""
    return _rounds(password_hash) < settings.get().bcrypt_rounds


def _rounds(password_hash: str) -> int:
    return int(password_hash.split("$")[2])


def nobodys_hash() -> str:
    """What a stranger's password is compared with, so that time tells nothing."""
    return _nobodys_hash(settings.get().bcrypt_rounds)


@cache
def _nobodys_hash(rounds: int) -> str:
    """Made up and not computed, or the first stranger of a process would take twice as long."""
    return bcrypt.gensalt(rounds).decode() + "".join(secrets.choice(LETTERS) for _place in range(31))


def _size(password: str) -> int:
    return len(password.encode("utf-8", "replace"))


def _encodes(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False
