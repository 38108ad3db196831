"""What a clinic's country suggests: time zone, currency, language, emergency number. Only suggestions; owners edit them."""

from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.numbers import get_territory_currencies

from lib.errors import Invalid
from lib.texts import _

LANGUAGES = ("en",)  # those with a catalogue in locale/: half a screen in another language helps nobody

# Where the number for an ambulance is not 112 (ITU-T E.161.1 and national regulators, looked up 2026-11).
EMERGENCY_NUMBERS = {
    "US": "911", "CA": "911", "MX": "911", "AR": "911", "CR": "911", "PA": "911", "PE": "106", "CL": "131", "UY": "911",
    "EC": "911", "PY": "911", "VE": "911", "HN": "911", "SV": "911", "GT": "122", "DO": "911", "PR": "911", "PH": "911",
    "BR": "192", "GB": "999", "IE": "112", "AU": "000", "NZ": "111", "JP": "119", "KR": "119", "CN": "120", "HK": "999",
    "SG": "995", "MY": "999", "TH": "1669", "VN": "115", "IN": "112", "AE": "998", "SA": "997", "IL": "101", "EG": "123",
    "MA": "150", "KE": "999", "CH": "144", "NO": "113", "ZA": "10177", "TW": "119", "PK": "1122", "BD": "999", "LK": "1990",
    "JM": "110", "TT": "811", "CU": "104", "GH": "112", "NG": "112",
}

# The zone most people live in, where a country has several.
MAIN_ZONES = {
    "US": "America/New_York", "CA": "America/Toronto", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "NZ": "Pacific/Auckland", "MX": "America/Mexico_City", "ES": "Europe/Madrid", "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow", "UA": "Europe/Kyiv", "AR": "America/Argentina/Buenos_Aires", "CL": "America/Santiago",
    "EC": "America/Guayaquil", "CN": "Asia/Shanghai", "ID": "Asia/Jakarta", "KZ": "Asia/Almaty", "MY": "Asia/Kuala_Lumpur",
    "CD": "Africa/Kinshasa",
}


@dataclass(frozen=True)
class Country:
    code: str
    time_zone: str
    currency: str
    language: str
    emergency_number: str


def defaults(code: str, time_zone: str = "") -> Country:
    """`time_zone`: the browser's, kept when it is a real one; else the country's first."""
    if code not in names():
        raise Invalid(_("This country is not known."))
    zone = time_zone if time_zone in time_zones() else MAIN_ZONES.get(code) or next(iter(_zones(code)), "UTC")
    currencies = get_territory_currencies(code) or ["USD"]
    spoken = get_global("territory_languages").get(code, {})
    official = [language for language in spoken if language in LANGUAGES and spoken[language].get("official_status")]
    return Country(code, zone, currencies[0], official[0] if official else "en", EMERGENCY_NUMBERS.get(code, "112"))


def guess(time_zone: str | None, locale: str | None) -> str:
    """The country a browser seems to be in, by its time zone first: many browsers speak en-US everywhere."""
    by_zone = get_global("zone_territories").get(time_zone or "", "")
    by_locale = (locale or "").replace("_", "-").rpartition("-")[2].upper()
    return next((code for code in (by_zone, by_locale) if code in names()), "US")


@cache
def names() -> dict[str, str]:
    """ISO 3166 code to English name, in the order of the names."""
    territories = Locale("en").territories
    known = {code: name for code, name in territories.items() if len(code) == 2 and code.isalpha() and code in
             get_global("territory_currencies")}
    return dict(sorted(known.items(), key=lambda item: item[1]))


@cache
def time_zones() -> tuple[str, ...]:
    """IANA names in order. Kept, because collecting them reads a directory tree."""
    return tuple(sorted(available_timezones()))


def _zones(code: str) -> list[str]:
    zones = get_global("zone_territories")
    return sorted(zone for zone, territory in zones.items() if territory == code and zone in time_zones())
