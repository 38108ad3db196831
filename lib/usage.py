"""What a provider's reply took, counted while it comes. Every provider tells it a little differently."""

import math
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from lib.events import Done

SILENT = ("timeout", "network")  # nobody knows what became of a request that was sent
STATUS = {"busy": "rate_limited", "timeout": "timeout"}
BUSY = {"429", "rate_limit_exceeded", "rate_limit_error", "resource_exhausted"}
# The first word of a finish, in small letters; Gemini says "content_filter: RECITATION", or its own names in capitals.
FINISHES = {"length": "truncated", "max_tokens": "truncated", **dict.fromkeys(
    ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii", "image_safety"), "filtered")}
CLEAN = ("stop", "end_turn", "eos", "")
LONGEST_NAME = 200
MOST_TOKENS = 10_000_000  # no model takes or gives as many at once: it is no count, and would use up a day's budget
LONGEST_REPLY = 19_000  # characters: what one message can hold, with the fixed lines around it


@dataclass
class Tally:
    """Adds nothing up: usage comes cumulative from some providers, so the last word counts."""

    provider: str
    model: str
    prompt_characters: int = 0
    characters: int = 0
    sent: bool = False
    left: bool = False
    ended: bool = False
    cut: bool = False
    half: str = ""
    stopped: bool = False
    problem: str = ""
    billed: bool = True
    finish: str = ""
    model_used: str | None = None
    request_id: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)

    def failed(self, problem: str, billed: bool = True, read: bool = True) -> "Tally":
        """The first failure is the reason. `billed`: whether the provider may have begun to count. `read`: whether what it said
        could be."""
        if not self.problem:
            begun = self.characters > 0 or bool(self.usage) or not read or (self.sent and problem in SILENT)
            self.problem, self.billed = problem, billed and begun
        return self

    def broke_off(self, problem: str) -> None:
        """The line did; an answer that had ended is whole all the same."""
        if not (self.finish or self.ended):
            self.failed(problem)

    def take(self, chunk: dict[str, Any]) -> str:
        """One chunk, or a whole reply; its piece of the answer. An error may come inside HTTP 200, so it is looked for first."""
        told = chunk.get("usage")
        if isinstance(told, dict) and told:  # some repeat it in every chunk, so that alone is no end; some send a part of it last
            self.usage |= {name: value for name, value in told.items() if value is not None}
            self.ended = self.ended or not (chunk.get("choices") or chunk.get("error"))
        if chunk.get("error"):
            self.failed(_problem(chunk["error"]))
            return ""
        self.model_used = _text(chunk.get("model"))[:LONGEST_NAME] or self.model_used
        self.request_id = _text(chunk.get("id"))[:LONGEST_NAME] or self.request_id
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        return self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> str:
        self.finish = _text(choice.get("finish_reason"))[:LONGEST_NAME] or self.finish
        if _word(self.finish) == "error":
            self.failed("unavailable")
        message = choice.get("delta") or choice.get("message") or {}
        text = self._whole(message.get("content") if isinstance(message, dict) else None)
        self.ended = self.ended and not text  # what was told before it was no end
        room = LONGEST_REPLY - self.characters
        self.cut = self.cut or len(text) > room
        self.finish = "length" if self.cut else self.finish
        self.characters += len(text[:room])
        return text[:room]

    def _whole(self, content: object) -> str:
        """With the first half of a character that the chunk before ended in."""
        text = self.half + _joined(content)
        self.half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return _text(text[:len(text) - len(self.half)])

    @property
    def status(self) -> str:
        if self.stopped:
            return "stopped"
        if self.problem:
            return STATUS.get(self.problem, "error_mid" if self.characters else "error_before")
        return FINISHES.get(_word(self.finish), "ok" if self.finish or self.ended else "truncated")

    def done(self) -> Done:
        return Done(status=self.status, problem="" if self.stopped else self.problem, finish=self.finish,
                    billed=self.billed, left=self.left, provider=self.provider, model=self.model_used or self.model,
                    request_id=self.request_id, **self._counted())

    def _counted(self) -> dict[str, Any]:
        """Cached tokens are part of the input, reasoning tokens part of the output."""
        tokens_in, tokens_out = _count(self.usage.get("prompt_tokens")), _count(self.usage.get("completion_tokens"))
        cost = _money(self.usage.get("cost"))
        charged = {} if cost is None else {"cost_usd": cost, "cost_source": "provider"}
        if tokens_in is None or tokens_out is None:
            return self._estimated() | charged
        total = _count(self.usage.get("total_tokens"))
        thoughts = _detail(self.usage, "completion_tokens_details", "reasoning_tokens")
        if total is not None and total > tokens_in + tokens_out:  # Gemini leaves its thoughts out of completion_tokens
            thoughts, tokens_out = total - tokens_in - tokens_out, total - tokens_in
        return {"tokens_in": tokens_in, "tokens_out": tokens_out, "tokens_reasoning": thoughts, "usage_source": "provider",
                "tokens_cached": _detail(self.usage, "prompt_tokens_details", "cached_tokens"), **charged}

    def _estimated(self) -> dict[str, Any]:
        """Nothing where nothing was billed, or where nothing came by which it could be estimated."""
        if not self.billed or not self.prompt_characters or (self.problem and not self.characters):
            return {}
        return {"tokens_in": tokens(self.prompt_characters), "tokens_out": tokens(self.characters), "usage_source": "estimated"}


def ended_well(finish: str) -> bool:
    """Whether the provider had said all of it."""
    return _word(finish) in CLEAN


def _word(finish: str) -> str:
    return finish.partition(":")[0].strip().lower()


def _problem(error: object) -> str:
    names = {str(error.get(name)).lower() for name in ("code", "status", "type")} if isinstance(error, dict) else set()
    return "busy" if names & BUSY else "unavailable"


def _joined(content: object) -> str:
    """A text, or those of its parts that are one: some send [{"type": "text", "text": …}], thoughts among them."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type", "text") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def tokens(characters: int) -> int:
    """Four characters a token, OpenAI's own rule of thumb."""
    return math.ceil(characters / 4)


def _text(value: object) -> str:
    """What PostgreSQL, a browser and a log can hold: no NUL, and no half of a character."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(value: object) -> int | None:
    """0 is a measured zero; a boolean, a fraction or a negative number is no count. Some write 300 as "300" or 300.0."""
    number = _number(value)
    return int(number) if number is not None and number < MOST_TOKENS and number == int(number) else None


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, dict) else None


def _money(value: object) -> Decimal | None:
    number = _number(value)
    return number if number is not None and number < 10_000 else None


def _number(value: object) -> Decimal | None:
    """Neither less than nothing nor without end."""
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() and number >= 0 else None
