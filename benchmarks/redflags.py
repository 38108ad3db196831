"""What it takes to read a message of 1,000 characters for danger signs.

    .venv/bin/python -m benchmarks.redflags

Long messages of the corpus, and short ones put end to end, in which nearly every word is one of a sign. Each is read nine times,
as its words are looked up once and then kept; the cheapest time counts, and of all messages the one in the middle.
"""

import statistics
import time
from collections.abc import Sequence

from benchmarks import rows
from benchmarks.rows import Row
from evaluation import corpus
from lib import redflags

GOAL, LENGTH = 1, 1_000  # milliseconds, characters
LONG, TOGETHER, OFTEN, SOME = 450, 40, 9, 60


def main() -> None:
    told = [Row(f"danger signs of {LENGTH:,} characters, {kind}: CPU", GOAL, statistics.median(map(cost, texts)))
            for kind, texts in (("running text", running()), ("one sign beside the other", dense()))]
    for row in told:
        print(f"{row.what}: {row.result:.2f} ms")
    rows.tell(told)


def running() -> Sequence[str]:
    """Two of the longest each."""
    texts = [message.text for message in corpus.messages("train", "aside") if len(message.text) > LONG]
    return [f"{one} {other}"[:LENGTH] for one, other in zip(texts[::2], texts[1::2], strict=False)][:SOME]


def dense() -> Sequence[str]:
    texts = [f"{message.text}. " for message in corpus.messages("aside")]
    return ["".join(texts[start:start + TOGETHER])[:LENGTH] for start in range(0, len(texts), TOGETHER)][:SOME]


def cost(text: str) -> float:
    return min(once(text) for _time in range(OFTEN)) * 1000


def once(text: str) -> float:
    began = time.process_time()
    redflags.check(text)
    return time.process_time() - began


if __name__ == "__main__":
    main()
