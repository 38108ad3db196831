"""The messages that the red flags are trained and judged on.

`train` and `aside` are what rules and weights were made from, `aside` chose the thresholds, `blind` was looked at for its totals
only. `fresh` was written and judged after all that; it is in a folder of its own, as nothing is ever to be made from it.
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = ROOT / "evaluation" / "redflags"
FRESH = OWN / "fresh"
EARLIER = ROOT / "tests" / "lib" / "redflags_corpus.csv"
LANGUAGES = ("en", "es", "fr", "de")


@dataclass(frozen=True)
class Message:
    language: str
    tier: str | None
    category: str
    register: str
    text: str
    part: str


def messages(*parts: str) -> list[Message]:
    return [message for message in _all() if message.part in parts]


def digest() -> str:
    """Names the data a model was trained on; git may have changed the line endings, so these do not count."""
    texts = [path.read_text(encoding="utf-8") for path in (*sorted(OWN.glob("*.csv")), EARLIER)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def part_of(text: str) -> str:
    """Decided by the text alone, so that no message can be moved because of how it was judged."""
    place = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100
    return "blind" if place < 15 else "aside" if place < 55 else "train"


def _all() -> Iterator[Message]:
    for path in (*sorted(OWN.glob("*.csv")), *sorted(FRESH.glob("*.csv"))):
        for row in _rows(path):
            yield Message(row["language"], _tier(row), row["category"], row["register"], row["text"], row["part"])
    for row in _rows(EARLIER):
        if row["batch"] != "open":
            yield Message(row["language"], _tier(row), row["category"], "", row["text"], "train")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _tier(row: dict[str, str]) -> str | None:
    return None if row["tier"] == "none" else row["tier"]
