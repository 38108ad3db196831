"""Makes lib/redflag_model.json from evaluation/redflags: python -m scripts.train_redflags

Same data and same scikit-learn, same model. It learns from train and aside; the thresholds are the lowest that the messages set
aside allow, each of these judged by a model that had not seen it (FOLDS).
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from evaluation import corpus
from evaluation.corpus import Message
from lib import redflag_classifier as classifier
from lib import redflags
from lib.redflags import CATEGORIES

VERSION = "2"
TARGET = corpus.ROOT / "lib" / "redflag_model.json"
SEED = 20261128
FOLDS = 3
SEEN_AT_LEAST = {"words": 4, "ideas": 5}
KEPT = {"words": 40_000, "ideas": 20_000}
KEPT_FOR_CATEGORIES = 2_500
STRENGTH = 10.0
MISSED_BY_RULES = 2.0
# The shares of the messages set aside that the classifier may take a step too far: of the harmless ones that no rule flags to
# E and to U, of the urgent ones to E.
FALSE_ALARMS = {"E": 0.013, "U": 0.004, "U to E": 0.04}
TIERS = {"E": ("E",), "U": ("E", "U")}
ASIDES = {
    "en": ["hi, {}", "sorry to bother you, {}", "{} please advise", "{} thank you", "hello doctor {}"],
    "es": ["hola, {}", "perdone la molestia, {}", "{} gracias", "buenas tardes {}", "{} qué hago"],
    "fr": ["bonjour, {}", "désolé de vous déranger, {}", "{} merci", "{} que faire", "bonsoir docteur {}"],
    "de": ["hallo, {}", "entschuldigung für die störung, {}", "{} danke", "guten tag {}", "{} was soll ich tun"],
}


@dataclass(frozen=True)
class Example:
    message: Message
    group: int
    words: Counter[str]
    ideas: Counter[str]
    said: str | None  # the tier that the rules give


def main() -> None:
    draw = random.Random(SEED)  # noqa: S311 - nothing secret
    aside, train = corpus.messages("aside"), corpus.messages("train")
    examples = [_example(copy, i % FOLDS if i < len(aside) else -1)
                for i, message in enumerate((*aside, *train)) for copy in (message, *_varied(message, draw))]
    judged = [one for fold in range(FOLDS) for one in _judged(examples, fold)]
    threshold = _thresholds(judged)
    _report(judged, threshold)
    _write({**_model(examples), "threshold": threshold})


def _example(message: Message, group: int) -> Example:
    reading = redflags.read(message.text)
    heard = classifier.hear(reading, range(len(reading.words)))
    return Example(message, group, Counter(classifier.word_names(heard)), Counter(classifier.idea_names(heard)),
                   redflags.highest(tuple(redflags.by_rules(reading))))


def _varied(message: Message, draw: random.Random) -> Iterator[Message]:
    """The message with slips of the finger, and with what people say before and after."""
    yield replace(message, text=_mistyped(_mistyped(message.text, draw), draw), part="")
    frames = ASIDES.get(message.language, ASIDES["en"])
    yield replace(message, text=_mistyped(draw.choice(frames).format(message.text), draw), part="")


def _mistyped(text: str, draw: random.Random) -> str:
    i = draw.randrange(max(1, len(text) - 1))
    slip = draw.choice(("lose", "double", "swap"))
    return {"lose": text[:i] + text[i + 1:], "double": text[:i] + text[i:i + 1] + text[i:],
            "swap": text[:i] + text[i + 1:i + 2] + text[i:i + 1] + text[i + 2:]}[slip]


def _model(examples: Sequence[Example], *, with_categories: bool = True) -> dict[str, Any]:
    known = {kind: _known(examples, kind) for kind in KEPT}
    rows = csr_matrix(hstack([scaled for _, scaled in known.values()]))
    names = np.concatenate([names for names, _ in known.values()])
    border = len(known["words"][0])
    weights = [_weight(example) for example in examples]
    fitted = {tier: _fit(rows, [e.message.tier in tiers for e in examples], weights) for tier, tiers in TIERS.items()}
    strength = np.max([np.abs(model.coef_[0]) for model in fitted.values()], axis=0)
    kept = [*_strongest(strength[:border], KEPT["words"]), *(border + _strongest(strength[border:], KEPT["ideas"]))]
    bags: dict[str, list[int]] = {"words": [], "ideas": [], "pairs": []}
    for i in kept:
        bags["words" if i < border else "pairs" if "&" in names[i] else "ideas"].append(int(i))
    return {**{kind: _table(names, fitted, places) for kind, places in bags.items()},
            "about": _about(names, rows, examples) if with_categories else {}, "version": VERSION, "digest": corpus.digest(),
            "categories": CATEGORIES, "bias": {tier: round(float(model.intercept_[0]), 4) for tier, model in fitted.items()}}


def _table(names: Any, fitted: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
    return {"names": "\n".join(names[i] for i in places),
            **{tier: [_whole(model.coef_[0][i]) for i in places] for tier, model in fitted.items()}}


def _known(examples: Sequence[Example], kind: str) -> tuple[Any, Any]:
    reader = DictVectorizer(dtype=np.float64)
    counts = reader.fit_transform([getattr(example, kind) for example in examples])
    often = np.asarray((counts > 0).sum(axis=0)).ravel() >= SEEN_AT_LEAST[kind]
    return reader.get_feature_names_out()[often], _scaled(counts[:, often])


def _scaled(counts: Any) -> Any:
    known = np.maximum(1, np.asarray(counts.sum(axis=1)).ravel())
    return csr_matrix(diags(known ** -0.5) @ counts)


def _weight(example: Example) -> float:
    """What rules miss is what the classifier is for."""
    return MISSED_BY_RULES if redflags.RANK[example.said] < redflags.RANK[example.message.tier] else 1.0


def _fit(rows: Any, wanted: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
    solver = "liblinear" if len(set(wanted)) == len(TIERS) else "lbfgs"
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=400, solver=solver, random_state=SEED)
    return model.fit(rows, wanted, sample_weight=weights)


def _strongest(strength: Any, kept: int) -> Any:
    return np.argsort(-strength, kind="stable")[:kept]


def _about(names: Any, rows: Any, examples: Sequence[Example]) -> dict[str, list[int]]:
    """What an emergency is about, for the card's first aid; learnt from emergencies only."""
    places = [i for i, e in enumerate(examples) if e.message.tier == "E" and e.message.category in CATEGORIES]
    model = _fit(rows[places], [CATEGORIES.index(examples[i].message.category) for i in places])
    strongest = _strongest(np.max(np.abs(model.coef_), axis=0), KEPT_FOR_CATEGORIES)
    return {str(names[i]): [_whole(weight) for weight in model.coef_[:, i]] for i in strongest if "&" not in names[i]}


def _judged(examples: Sequence[Example], fold: int) -> list[tuple[Example, dict[str, float]]]:
    """The messages of this fold with the scores of a model that saw neither them nor their copies."""
    _use(_model([example for example in examples if example.group != fold], with_categories=False))
    return [(e, classifier.scores(_heard(e.message.text))) for e in examples if e.group == fold and e.message.part == "aside"]


def _heard(text: str) -> list[classifier.Heard]:
    reading = redflags.read(text)
    return classifier.hear(reading, range(len(reading.words)))


def _use(model: dict[str, Any]) -> None:
    classifier.use(classifier.model_of({**model, "threshold": dict.fromkeys(FALSE_ALARMS, 0.0)}))


def _thresholds(judged: Sequence[tuple[Example, dict[str, float]]]) -> dict[str, float]:
    return {step: _lowest([found[step] for e, found in judged if _must_not(e, step)], share)
            for step, share in FALSE_ALARMS.items()}


def _must_not(example: Example, step: str) -> bool:
    """Whether the step would be wrong, and is not one that the rules have taken already."""
    if step == "U to E":
        return example.said == "U" and example.message.tier != "E"
    return example.said is None and (example.message.tier is None or (step == "E" and example.message.tier == "U"))


def _lowest(harmless: Sequence[float], share: float) -> float:
    return round(float(np.quantile(harmless, 1 - share)), 3)


def _report(judged: Sequence[tuple[Example, dict[str, float]]], threshold: Mapping[str, float]) -> None:
    """The honest figures of the messages set aside: rules, and the classifier that has not seen the message."""
    for language in (*corpus.LANGUAGES, "all"):
        own = [(e.message.tier, _tier(e, found, threshold)) for e, found in judged if language in (e.message.language, "all")]
        shares = [np.mean([redflags.RANK[got] >= redflags.RANK[least] for tier, got in own if tier == wanted])
                  for wanted, least in (("E", "E"), ("U", "U"), (None, "E"), (None, "U"))]
        sys.stdout.write(f"{language:4} E recall {shares[0]:.3f}  U recall {shares[1]:.3f}  alarms E {shares[2]:.3f}"
                         f"  any {shares[3]:.3f}\n")


def _tier(example: Example, found: Mapping[str, float], threshold: Mapping[str, float]) -> str | None:
    return next((step[-1] for step in classifier.STEPS[example.said] if found[step] > threshold[step]), example.said)


def _whole(weight: float) -> int:
    return round(float(weight) * classifier.SCALE)


def _write(model: dict[str, Any]) -> None:
    TARGET.write_text(json.dumps(model, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
