"""What can go wrong, in words a person can act on. A class's docstring is its default message."""

from collections.abc import Sequence
from typing import Any

from lib.texts import _, count


class AppError(Exception):
    """Something went wrong. Nothing was changed. Please try again."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or _(type(self).__doc__ or AppError.__doc__ or ""))


class Invalid(AppError):
    """This input can't be used. Please check it and try again."""


class NotSignedIn(AppError):
    """Your session has ended. Please sign in again. Drafts are kept."""


class Forbidden(AppError):
    """Your role in this clinic does not allow this."""


class FactorRequired(Invalid):
    """A clinic you work in asks everybody for a second factor: yours can move to another phone, but not be switched off."""


class LastOwner(Forbidden):
    """This person is the last owner. Make somebody else an owner first."""


class NoHelp(Forbidden):
    """Owners may only help members who belong to no other clinic, and never with password and second factor within 24 hours."""


class NotFound(AppError):
    """There is nothing here by that address. It may have been moved, or it belongs to another clinic."""


class Changed(AppError):
    """Somebody else saved this in the meantime. Nothing of yours was lost: compare both values and save again."""

    def __init__(self, message: str = "", *, differences: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.differences = list(differences)


class Conflict(AppError):
    """This exists already."""


class Undelivered(AppError):
    """The mail server did not take this mail."""

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        """`reason`: the kind of failure, for the operator."""
        super().__init__(message)
        self.reason = reason


class Gone(Conflict):
    """This patient was erased, or merged into another one. Nothing was changed."""


class EmergencyOpen(Conflict):
    """An emergency of this patient waits for somebody to answer for it. Do that first, under Emergencies. Nothing was changed."""


class AnswerRunning(Conflict):
    """An answer about this patient is being written. Wait until it is there, and try again. Nothing was changed."""


class ImportRunning(Conflict):
    """A file is being imported, and this patient may be in it. Erase them when it has ended. Nothing was changed."""


class Unavailable(AppError):
    """The database can't be reached right now. Nothing was changed. Please try again in a moment."""

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        """`reason`: the driver's first line, for the operator; it names hosts, never passwords or values."""
        super().__init__(message)
        self.reason = reason


class Busy(Unavailable):
    """Somebody else is changing the same right now. Nothing was changed. Please try again in a moment."""


class TooMany(AppError):
    """Too many tries. Please wait and try again."""

    def __init__(self, seconds: int, counter: str = "") -> None:
        """`seconds`: until the next try has a chance. `counter`: which one is full, as `lib/rate_limits.py` calls it."""
        minutes = -(-seconds // 60)
        sentences = {
            "chats": count("There were many questions in a short time. The next one is possible in {n} minute.",
                           "There were many questions in a short time. The next one is possible in {n} minutes.", minutes),
            "service": count("There were many messages in a short time. The next one is possible in {n} minute.",
                             "There were many messages in a short time. The next one is possible in {n} minutes.", minutes),
            "changes": count("There were many changes in a short time. Nothing was changed now; go on in {n} minute.",
                             "There were many changes in a short time. Nothing was changed now; go on in {n} minutes.", minutes),
            "reads": count("There were many pages in a short time. Go on in {n} minute.",
                           "There were many pages in a short time. Go on in {n} minutes.", minutes)}
        tries = count("Too many tries. Please wait {n} minute and try again.",
                      "Too many tries. Please wait {n} minutes and try again.", minutes)
        super().__init__(sentences.get(counter, tries))
        self.seconds = seconds
        self.counter = counter


class SetUpError(AppError):
    """Chairside can't start with these settings."""
