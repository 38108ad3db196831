"""The messages that the red flags are trained and judged on.

`train` and `aside` are what rules and weights were made from. `sealed` is half of a batch by writers who had not seen the rules;
it is in a folder of its own, as nobody is to read it and nothing is ever to be made from it. `batch` says who wrote when:
1 and 2 those who wrote the rules, 3 the writers of the sealed half, 4 and 5 again those of the rules, after reading 3; 5 is
about signs beside a booking, a bill or another request; 6 was written as sentences with alternatives, up to three messages drawn
from each, most of them hard. `outside` is batch 7, in a style of its own: weights were judged by it, then messages like it were
added to 6. `plain` is batch 8, short and simple, written after everything else. 9 is like 6, in many more manners: forms,
minutes, letters, forum, portal, chat. `spoken` is batch 10, written after 9 and before anything was judged by what 9 had taught:
dictated, calls word by word, mails with a subject. 11 to 17 are by 28 further writers, seven for each language, who saw nothing
of rules, model or other messages; 17 has pairs of near neighbours, one of them harmless. `inbox` is batch 18, by four more of
them, and sealed like the half of 3. 19 to 21 and 24 to 29 are by 35 others: 19 and 21 short everyday questions, 20 an inbox,
24 emergencies told obliquely, 25 and 27 what only sounds like one, 26 dialects, 28 many clinics' desks, 29 a night. `desks` is
batch 23, by four more, sealed. 30 to 34 are by sixteen others: 30 to 32 a year's inbox (31 and 32 German and Spanish only), 33
a few words, 34 stories in which the thing that matters is said in passing.
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = ROOT / "evaluation" / "redflags"
SEALED = OWN / "sealed"
OUTSIDE = OWN / "outside"
EARLIER = ROOT / "tests" / "lib" / "redflags_corpus.csv"
LANGUAGES = ("en", "es", "fr", "de")
TRAINING_ONLY = (6, 9, *range(11, 18), 19, 20, 21, *range(24, 35))


@dataclass(frozen=True)
class Message:
    language: str
    tier: str | None
    category: str
    register: str
    text: str
    part: str
    batch: int


def messages(*parts: str) -> list[Message]:
    return [message for message in _all() if message.part in parts]


def digest() -> str:
    """Names the data a model was trained on; git may have changed the line endings, so these do not count."""
    texts = [path.read_text(encoding="utf-8") for path in (*sorted(OWN.glob("*.csv")), EARLIER)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def part_of(text: str, batch: int) -> str:
    """Decided by the text alone, so that no message can be moved because of how it was judged; most later batches are for
    training only."""
    if batch in TRAINING_ONLY:
        return "train"
    place = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100
    return "aside" if place < 55 else "train"


def _all() -> Iterator[Message]:
    for path in (*sorted(OWN.glob("*.csv")), *sorted(SEALED.glob("*.csv")), *sorted(OUTSIDE.glob("*.csv"))):
        for row in _rows(path):
            yield Message(row["language"], _tier(row), row["category"], row["register"], row["text"], row["part"],
                          int(row["batch"]))
    for row in _rows(EARLIER):
        if row["batch"] != "open":
            yield Message(row["language"], _tier(row), row["category"], "", row["text"], "train", 1)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _tier(row: dict[str, str]) -> str | None:
    return None if row["tier"] == "none" else row["tier"]
