"""How often the knowledge base finds the right article, or says that it has none, on labelled questions.

    .venv/bin/python -m evaluation.knowledge

Three sets. The development questions lie beside this checkout (CHAIRSIDE_SHARED names another place) and are labelled here by
id only, in dental_questions.csv; the project's own, in four languages, stand in own_questions.csv; those of
unseen_questions.csv were asked once names and thresholds were settled, and nothing is tuned on them. A label names every
article that a careful receptionist would hand over; "-" among them, or no label, means that "don't know" is right. The first
two sets are split by a hash: thresholds were tuned on one half, the other was set aside; names of articles were added after
both halves had been read. Asked as the app asks: of a database, with its full text. Ends with 1 when a goal is missed.
"""

import contextlib
import csv
import hashlib
import os
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lib import db, demo, embedded, knowledge, startup
from lib.db import Scope

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("CHAIRSIDE_SHARED", HERE.parents[1] / "shared"))
QUESTIONS = SHARED / "data" / "dental_questions" / "dev.csv"
RIGHT = 0.85  # the goal: this share at least right,
WRONG = 0.05  # and this at most with a wrong article
UNKNOWN = "-"


@dataclass(frozen=True)
class Question:
    text: str
    accepted: frozenset[str]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    asked: int
    right: int
    wrong: int
    answered: int

    @property
    def reached(self) -> bool:
        return self.right >= RIGHT * self.asked and self.wrong <= WRONG * self.asked


def main() -> None:
    own = list(own_questions())
    development = list(development_questions()) if QUESTIONS.exists() else []
    if not development:
        print(f"{QUESTIONS} is missing; CHAIRSIDE_SHARED names the folder that holds it. Own questions only:\n")
    with clinic() as scope:
        scores = tally(scope, [*development, *own, *unseen_questions()])
    show(scores)
    sys.exit(bool(missed_goals(scores)))


def own_questions() -> Iterator[Question]:
    for row in _rows(HERE / "own_questions.csv"):
        yield Question(row["question"], _accepted(row), (
            "own, in all", f"own, {row['language']}", f"own, {half(row['question'])}"))


def unseen_questions() -> Iterator[Question]:
    for row in _rows(HERE / "unseen_questions.csv"):
        yield Question(row["question"], _accepted(row), ("unseen, in all", f"unseen, {row['language']}"))


def development_questions() -> Iterator[Question]:
    """Those that are truly dental are the measure; the rest shows what is answered that should not be."""
    labels = {row["id"]: row for row in _rows(HERE / "dental_questions.csv")}
    for row in _rows(QUESTIONS):
        label = labels[row["id"]]
        subject = "dental" if label["dental"] == "yes" else "foreign"
        kind = row["kind"].replace("_", " ")
        yield Question(row["text"], _accepted(label), (
            "dental and foreign, in all", f"{subject}, in all", f"{subject}, {half(row['id'])}", f"{subject}, {kind}"))


def half(key: str) -> str:
    return "set aside" if hashlib.sha256(key.encode()).digest()[0] % 2 else "tuned on"


@contextlib.contextmanager
def clinic() -> Iterator[Scope]:
    """One without articles of its own, in a database that is gone afterwards: whatever else this shell knows of is left alone."""
    folder = Path(tempfile.mkdtemp(prefix="chairside-evaluation-"))
    for name in [name for name in os.environ if name.startswith("DATABASE_")]:
        del os.environ[name]
    os.environ.update(CHAIRSIDE_DATA=str(folder), CHAIRSIDE_WORKER="off")
    try:
        startup.start()
        with db.scope(demo.employ()[0]) as scope:
            yield scope
    finally:
        startup.stop()
        _forget(folder)


def _forget(folder: Path) -> None:
    """Run by root, the database lies elsewhere; the folder names it."""
    for name in folder.rglob("cluster.id"):
        shutil.rmtree(embedded.STATE / name.read_text(), ignore_errors=True)
    shutil.rmtree(folder)


def tally(scope: Scope, questions: Iterable[Question]) -> dict[str, Score]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        article = knowledge.find(scope, question.text)
        right = (article.slug if article else UNKNOWN) in question.accepted
        for group in question.groups:
            counts[group].update(asked=1, right=right, wrong=article is not None and not right, answered=article is not None)
    return {group: Score(**count) for group, count in sorted(counts.items())}


def missed_goals(scores: dict[str, Score]) -> list[str]:
    return [group for group, score in scores.items() if group.endswith("in all") and not score.reached]


def show(scores: dict[str, Score]) -> None:
    missed = missed_goals(scores)
    print(f"{'questions':<34}{'asked':>7}{'answered':>10}{'hit rate':>10}{'wrong':>8}")
    for group, score in scores.items():
        mark = "   the goal is missed" if group in missed else ""
        print(f"{group:<34}{score.asked:>7}{score.answered / score.asked:>10.1%}{score.right / score.asked:>10.1%}"
              f"{score.wrong / score.asked:>8.1%}{mark}")
    print(f"\nHit: the right article, or none where none is right. Goal: {RIGHT:.0%} at least, and {WRONG:.0%} wrong at most.")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _accepted(row: dict[str, str]) -> frozenset[str]:
    return frozenset(row["articles"].split(";")) if row["articles"] else frozenset({UNKNOWN})


if __name__ == "__main__":
    main()
