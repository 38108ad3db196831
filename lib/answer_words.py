"""An answer's facts in words: what it comes from, and how it ended. The screen and an exported conversation say the same."""

from typing import Any

from lib import advice
from lib.chats import Message
from lib.texts import _


def origin(message: Message) -> list[str]:
    """What answered, and which model or article of it; nothing while that is not known."""
    facts = message.metadata
    if "route" not in facts:
        return []
    if facts["route"] == "provider" and not facts.get("instead"):
        return [_("AI provider"), facts.get("model") or _("unknown model")]
    if facts["route"] == "cache":
        return [_("AI provider, asked before"), facts.get("model") or _("unknown model")]
    if quotes_article(message):
        return [_("Your clinic's article") if facts.get("own") else _("Knowledge base"), facts["title"]]
    return [_nothing(facts)]


def quotes_article(message: Message) -> bool:
    """Whether the answer is an article's own text, also where a provider failed and it stands in."""
    facts = message.metadata
    return facts.get("route") == "kb" or bool(facts.get("route") != "cache" and facts.get("instead") and facts.get("title"))


def _nothing(facts: dict[str, Any]) -> str:
    """Why there is no more than fixed words. What was refused before the reason was kept just says so."""
    if facts["route"] == "emergency":
        return _("Emergency card")
    if facts["route"] != "blocked":
        return _("No article fits")  # nor did a provider answer, where one was asked
    return {"length": _("Too long to be answered"), "limit": _("Not answered: many questions in a short time")}.get(
        facts.get("refused", ""), _("Not answered"))


def ending(message: Message) -> str:
    """What a reader must know of an answer that is not whole, or not what was wanted; "" for all others."""
    if message.running:
        return _("Writing …")
    because = {"left": _("Stopped: whoever asked can't read this any more."),
               "crowded": _("Answered here: the clinic had as many answers on their way as it can have at once.")}
    problem = message.metadata.get("problem")
    if problem in because:
        return because[problem]
    if problem and (message.metadata.get("instead") or message.content.startswith(advice.apology(problem))):
        return ""  # a whole answer from here, which begins by saying why the provider gave none
    if message.status == "truncated" and message.metadata.get("finish"):  # without one its line broke
        return _("This answer reached its greatest length and ends here.")
    known = {"ok": "", "stopped": _("Stopped before the end."), "truncated": _("This answer was cut short."),
             "filtered": _("The provider withheld the rest of this answer."),
             "timeout": _("The provider took too long; what had come is kept."),
             "rate_limited": _("The provider was busy."),
             "budget_blocked": _("Answered here: what is left of the day's provider budget does not cover another answer.")}
    return known.get(message.status, _("This answer was interrupted. Please ask again."))
