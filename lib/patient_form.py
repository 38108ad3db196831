"""What a clinic may write about a patient: one model for the form, the import and the API."""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any, NoReturn, Self

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from lib import mailbox
from lib.texts import _

EARLIEST = date(1850, 1, 1)
# Overrides and isolates let one name be drawn as another.
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def latest_today() -> date:
    """The date where it is latest on Earth: a child born this morning in Auckland is not from the future."""
    return datetime.now(UTC).astimezone(timezone(timedelta(hours=14))).date()


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in BIDI_CONTROLS


def _visible(value: str) -> str:
    if any(map(_is_hidden, value)):
        raise ValueError(_("{field} contains characters that can't be seen. Please type it again."))
    return value


def _collapsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # str.split would also take control characters such as U+001C for white space.
    _visible(value.translate({ord(space): " " for space in "\t\r\n"}))
    return " ".join(value.split())


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _or_none(value: Any) -> Any:
    return None if _trimmed(value) == "" else _trimmed(value)


def _or_empty(value: Any) -> Any:
    return "" if value is None else _trimmed(value)


def _or_false(value: Any) -> Any:
    return False if _or_none(value) is None else value


def _storable(value: str) -> str:
    if re.search("[\0\ud800-\udfff]", value):
        raise ValueError(_("{field} contains a character that can't be stored. Please type that part again."))
    return value


def _with_a_letter(value: str) -> str:
    if value and not any(map(str.isalpha, value)):
        raise ValueError(_("{field} needs at least one letter."))
    return value


def _like_an_email(value: str) -> str:
    try:
        mailbox.check(value)
    except mailbox.NotAMailbox:
        raise ValueError(_("{field} does not look right. It should be like anna@example.com.")) from None
    return value


def _no_day() -> NoReturn:
    raise ValueError(_("{field} is not a date. It should be like 1980-12-31.")) from None


def _day(value: Any) -> Any:
    """Only whole days: pydantic alone would read the number 0 as 1 January 1970."""
    value = _or_none(value)
    if value is None or type(value) is date:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        _no_day()
    try:
        return date.fromisoformat(value)
    except ValueError:
        _no_day()


def _possible(value: date) -> date:
    if value > latest_today():
        raise ValueError(_("{field} is in the future."))
    if value < EARLIEST:
        raise ValueError(_("{field} is before {year}. Please check the year.").replace("{year}", str(EARLIEST.year)))
    return value


Name = Annotated[
    Annotated[str, Field(min_length=1, max_length=255)], BeforeValidator(_collapsed), AfterValidator(_with_a_letter)
]
Email = Annotated[Annotated[str, Field(max_length=255)], AfterValidator(_visible), AfterValidator(_like_an_email)]
Phone = Annotated[Annotated[str, Field(max_length=40)], AfterValidator(_visible)]
Number = Annotated[Annotated[str, Field(max_length=255)], AfterValidator(_visible)]
Notes = Annotated[Annotated[str, Field(max_length=20_000)], BeforeValidator(_or_empty), AfterValidator(_storable)]
Alerts = Annotated[Annotated[str, Field(max_length=2_000)], BeforeValidator(_or_empty), AfterValidator(_storable)]
Day = Annotated[Annotated[date, AfterValidator(_possible)] | None, BeforeValidator(_day)]


class PatientForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    full_name: Name
    email: Annotated[Email | None, BeforeValidator(_or_none)] = None
    phone: Annotated[Phone | None, BeforeValidator(_or_none)] = None
    date_of_birth: Day = None
    deceased: Annotated[bool, BeforeValidator(_or_false)] = False
    deceased_on: Day = None
    medical_notes: Notes = ""
    alerts: Alerts = ""
    external_id: Annotated[Number | None, BeforeValidator(_or_none)] = None

    @field_validator("deceased_on")
    @classmethod
    def _dies_after_birth(cls, value: date | None, info: ValidationInfo) -> date | None:
        born = info.data.get("date_of_birth")
        if value and born and value < born:
            raise ValueError(_("{field} is before the date of birth."))
        return value

    @model_validator(mode="after")
    def _a_day_of_death_means_deceased(self) -> Self:
        self.deceased = self.deceased or self.deceased_on is not None
        return self


def label(field: str) -> str:
    """What a person calls the field, as the beginning of a sentence."""
    return {
        "full_name": _("The name"),
        "email": _("The e-mail address"),
        "phone": _("The phone number"),
        "date_of_birth": _("The date of birth"),
        "deceased": _("The answer to “deceased”"),
        "deceased_on": _("The date of death"),
        "medical_notes": _("The text under “Medical notes”"),
        "alerts": _("The text under “Alerts”"),
        "external_id": _("The number in the other system"),
    }.get(field, _("The entry “{field}”").format(field=field))


def explain(error: ValidationError) -> dict[str, str]:
    """One sentence per field, without the words of the library."""
    found: dict[str, str] = {}
    for one in error.errors():
        found.setdefault(str(one["loc"][0]) if one["loc"] else "", _sentence(one))
    return found


def _sentence(error: ErrorDetails) -> str:
    field = label(str(error["loc"][0]) if error["loc"] else "")
    context = error.get("ctx", {})
    if error["type"] == "string_too_long":
        return _too_long(field, len(error["input"]), context["max_length"])
    if error["type"] == "value_error":
        return str(context["error"]).replace("{field}", field)
    return _plain(error["type"]).replace("{field}", field)


def _too_long(field: str, length: int, limit: int) -> str:
    text = _("{field} is too long: it has {length} characters, and {limit} fit. Nothing was cut off.")
    return text.format(field=field, length=f"{length:,}", limit=f"{limit:,}")


def _plain(kind: str) -> str:
    return {
        "missing": _("{field} is missing."),
        "string_too_short": _("{field} is missing."),
        "string_type": _("{field} has to be text."),
        "string_unicode": _("{field} contains characters that can't be stored. Please type it again."),
        "bool_parsing": _("{field} has to be yes or no."),
        "bool_type": _("{field} has to be yes or no."),
        "extra_forbidden": _("{field} is not part of a patient's record."),
    }.get(kind, _("{field} can't be read. Please type it again."))


def warnings(form: PatientForm, country: str) -> list[str]:
    """What is unlikely but may be right. `country` is an ISO code such as DE, or empty if it is not known."""
    found = [
        (_is_unlikely(form.phone, country), _("This phone number is unusual. Please check it.")),
        (_age(form) > 120, _("This person would be more than 120 years old. Please check the dates.")),
        (any(map(str.isdigit, form.full_name)), _("The name contains a digit. Please check it.")),
    ]
    return [sentence for applies, sentence in found if applies]


def _is_unlikely(phone: str | None, country: str) -> bool:
    known = country.upper() in phonenumbers.SUPPORTED_REGIONS
    if not phone or not (known or phone.startswith("+")):
        return False
    try:
        return not phonenumbers.is_valid_number(phonenumbers.parse(phone, country.upper() if known else None))
    except phonenumbers.NumberParseException:
        return True


def _age(form: PatientForm) -> float:
    if form.date_of_birth is None or (form.deceased and form.deceased_on is None):
        return 0
    return ((form.deceased_on or latest_today()) - form.date_of_birth).days / 365.25
