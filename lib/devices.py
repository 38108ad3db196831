"""What a person calls the device behind a browser's long name for itself."""

from functools import cache
from typing import TYPE_CHECKING

from lib.texts import _

if TYPE_CHECKING:
    from ua_parser import Parser


def name(user_agent: str) -> str:
    """"Firefox on Windows"; "Unknown device" for what no browser calls itself."""
    found = _parser().parse(user_agent)
    browser, system = (part.family if part else "" for part in (found.user_agent, found.os))
    if browser and system:
        return _("{browser} on {system}").format(browser=browser, system=system)
    return browser or system or _("Unknown device")


@cache
def _parser() -> "Parser":
    """Its thousand patterns are compiled when they are tried first, which spares half a second here and half at start."""
    from ua_parser import Parser
    from ua_parser.basic import Resolver
    from ua_parser.loaders import load_lazy_builtins

    return Parser(Resolver(load_lazy_builtins()))
