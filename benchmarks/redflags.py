"""What it takes to read a message of 1,000 characters for danger signs.

    .venv/bin/python -m benchmarks.redflags

Long messages of the corpus, and short ones that each tell of a danger, put end to end. Of all languages. Each text is read once
by a process that has read other messages before, but never this one: what its new words cost counts. Then it is read nine times
more: its words are looked up once and then kept; the cheapest time counts. Of all texts, the one in the middle.
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
    for text in others():
        redflags.check(text)
    kinds = {"running text": list(together(running())), "one danger after the other": list(together(dense()))}
    told = [row for kind, texts in kinds.items() for row in measure(kind, texts)]
    for row in told:
        print(f"{row.what}: {row.result:.2f} ms")
    rows.tell(told)


def measure(kind: str, texts: Sequence[str]) -> Iterator[Row]:
    """Those seen for the first time first: afterwards there are none."""
    new = [once(text) * 1000 for text in texts]
    yield Row(f"danger signs of {LENGTH:,} characters, {kind}: CPU", GOAL, statistics.median(map(cost, texts)))
    yield Row(f"the same, of a text seen for the first time, {kind}: CPU", GOAL, statistics.median(new),
              note=f"{max(new):.1f} ms at most")


def others() -> list[str]:
    """What a process has read before, in all languages, of none that is timed: some 5,000 messages, as many as fill what it keeps
    of words (20,000), so that none is looked up again for want of room."""
    return [message.text for message in corpus.messages("train") if SHORT <= len(message.text) <= LONG][::5]


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
