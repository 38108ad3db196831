"""What it takes to read a message of 1,000 characters for danger signs.

    .venv/bin/python -m benchmarks.redflags

Long messages of the corpus, and short ones that each tell of a danger, put end to end. Of all languages. Each is read nine
times, as its words are looked up once and then kept; the cheapest time counts, and of all messages the one in the middle.
"""

import statistics
import time
from collections.abc import Iterator, Sequence

from benchmarks import rows
from benchmarks.rows import Row
from evaluation import corpus
from lib import redflags

GOAL, LENGTH = 1, 1_000  # milliseconds, characters
LONG, SHORT, OFTEN, SOME = 450, 120, 9, 60


def main() -> None:
    told = [Row(f"danger signs of {LENGTH:,} characters, {kind}: CPU", GOAL, statistics.median(map(cost, texts)))
            for kind, texts in (("running text", together(running())), ("one danger after the other", together(dense())))]
    for row in told:
        print(f"{row.what}: {row.result:.2f} ms")
    rows.tell(told)


def running() -> list[str]:
    return [message.text for message in corpus.messages("train", "aside") if len(message.text) > LONG]


def dense() -> list[str]:
    return [message.text for message in corpus.messages("aside") if message.tier and len(message.text) < SHORT]


def together(texts: Sequence[str]) -> Iterator[str]:
    """Files are by language, so each takes its texts from all of the row."""
    for start in range(SOME):
        yield ". ".join(texts[start::SOME])[:LENGTH]


def cost(text: str) -> float:
    return min(once(text) for _time in range(OFTEN)) * 1000


def once(text: str) -> float:
    began = time.process_time()
    redflags.check(text)
    return time.process_time() - began


if __name__ == "__main__":
    main()
