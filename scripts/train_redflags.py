"""Makes lib/redflag_model.json from evaluation/redflags: python -m scripts.train_redflags

Same data and same scikit-learn, same model. It learns from train and aside; the thresholds are the lowest that the messages of
FOREIGN writers allow, each of these judged by a model that had seen none of theirs (HELD_OUT).
"""

import json
import math
import random
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from evaluation import corpus
from evaluation.corpus import Message
from lib import redflag_classifier as classifier
from lib import redflag_hearing as hearing
from lib import redflag_model, redflags
from lib.redflags import CATEGORIES

VERSION = "10"
SEED = 20261129
# Each judged by a model that has seen nothing of these batches, thus of their writers and style; thresholds are from FOREIGN.
HELD_OUT = ((3, 20), (11, 12), (13, 14), (15, 16), (17, 19, 21), (24, 25), (26, 27), (28, 29), (30, 31, 32), (33, 34))
FOREIGN = (*range(11, 17), 19, 20, 21, *range(24, 33))
SEEN_AT_LEAST = {"words": 4, "ideas": 5}
KEPT = {"words": 40_000, "ideas": 20_000}
LINEAR_DECAY, LINEAR_EPOCHS = 2e-6, 8
HIDDEN, BATCH, EPOCHS, RATE, DECAY = 24, 512, 6, 0.003, 1e-4
MISSED_BY_RULES = 2.0
# Those who wrote after the rules were made say it in other words, and so does whoever comes next.
WEIGHT = {1: 1.0, 2: 1.0, 3: 3.0, 4: 2.0, 5: 2.0} | dict.fromkeys(corpus.TRAINING_ONLY, 3.0)
# The shares of the harmless messages, of those that no rule flags, that the classifier may take to E and to any tier.
FALSE_ALARMS = {"E": 0.026, "U": 0.029}
TIERS = {"E": ("E",), "U": ("E", "U")}
ABOUT = {
    "E": CATEGORIES,
    "U": ("infection", "pain", "trauma", "bleeding", "other"),
    "": ("education", "admin", "dental", "negation", "past", "idiom", "aftercare", "reassurance", "billing", "name", "other"),
}
KINDS = [(tier, category) for tier, categories in ABOUT.items() for category in categories]
# What people say before and after, whatever is the matter.
ASIDES = {
    "en": [
        "hi, {}", "sorry to bother you, {}", "{} please advise", "{} thank you", "hello doctor {}", "{} how much is that",
        "my husband says it's nothing but {}", "is it normal that {}", "my doctor said not to worry. {}",
        "{} do you take insurance", "asking for my neighbour: {}", "what should I do {}", "I'd like to move my appointment. {}",
        "I had a filling last year and {}", "no pain but {}", "{}?", "{} Can I still come at four?",
    ],
    "es": [
        "hola, {}", "perdone la molestia, {}", "{} gracias", "buenas tardes {}", "{} qué hago", "qué hago {}", "{} cuánto cuesta",
        "mi marido dice que no es nada pero {}", "{} ¿lo cubre el seguro?", "quería cambiar mi cita. {}", "sin dolor pero {}",
        "¿{}?", "{} ¿puedo ir igual a las cuatro?",
    ],
    "fr": [
        "bonjour, {}", "désolé de vous déranger, {}", "{} merci", "{} que faire", "que faire {}", "bonsoir docteur {}",
        "{} combien ça coûte",
        "mon mari dit que ce n'est rien mais {}", "je voulais décaler mon rendez-vous. {}", "pas de douleur mais {}", "{} ?",
        "{} je peux venir quand même à 16 h ?",
    ],
    "de": [
        "hallo, {}", "entschuldigung für die störung, {}", "{} danke", "guten tag {}", "{} was soll ich tun", "was tun {}",
        "{} was kostet das", "mein Mann sagt es ist nichts aber {}", "{} zahlt das die Kasse",
        "ich wollte meinen Termin verschieben. {}", "keine schmerzen aber {}", "{}?", "{} kann ich trotzdem um vier kommen?",
    ],
}


@dataclass(frozen=True)
class Example:
    message: Message
    words: Counter[str]
    ideas: Counter[str]
    said: str | None  # the tier that the rules give


@dataclass(frozen=True)
class Names:
    words: list[str]
    ideas: list[str]
    pairs: list[str]


def main() -> None:
    draw = random.Random(SEED)  # noqa: S311 - nothing secret
    examples = [_example(copy) for message in corpus.messages("aside", "train") for copy in (message, *_varied(message, draw))]
    judged = [one for batches in HELD_OUT for one in _judged(examples, batches)]
    threshold = _thresholds(judged)
    _report(judged, threshold)
    _write({**_model(examples), "threshold": threshold})


def _example(message: Message) -> Example:
    reading = redflags.read(message.text)
    heard = hearing.once(hearing.hear(reading))
    return Example(message, Counter(hearing.word_names(heard)), Counter(hearing.idea_names(heard)),
                   redflags.highest(tuple(redflags.by_rules(reading))))


def _varied(message: Message, draw: random.Random) -> Iterator[Message]:
    """The message with slips of the finger, and with what people say before and after."""
    yield replace(message, text=_mistyped(_mistyped(message.text, draw), draw), part="")
    frames = ASIDES.get(message.language, ASIDES["en"])
    yield replace(message, text=_mistyped(draw.choice(frames).format(message.text), draw), part="")
    if message.tier == "E" and not message.register:
        yield from (replace(message, text=frame.format(message.text.rstrip(".?!")), part="") for frame in frames)


def _mistyped(text: str, draw: random.Random) -> str:
    i = draw.randrange(max(1, len(text) - 1))
    slip = draw.choice(("lose", "double", "swap"))
    return {"lose": text[:i] + text[i + 1:], "double": text[:i] + text[i:i + 1] + text[i:],
            "swap": text[:i] + text[i + 1:i + 2] + text[i:i + 1] + text[i + 2:]}[slip]


def _known(examples: Sequence[Example]) -> Names:
    """The names worth a row: often enough, and of those the ones to which a linear model gives the most weight."""
    counted = [_counted(examples, kind) for kind in KEPT]
    rows = csr_matrix(hstack([_scaled(counts) for _, counts in counted]))
    weights = [_weight(example) for example in examples]
    strength = np.max([_strength(rows, [e.message.tier in tiers for e in examples], weights) for tiers in TIERS.values()], axis=0)
    border = len(counted[0][0])
    parts = zip(counted, (strength[:border], strength[border:]), KEPT.values(), strict=True)
    words, ideas = (names[_strongest(part, kept)].tolist() for (names, _), part, kept in parts)
    singles = [name for name in ideas if "&" not in name]
    return Names(words, singles, sorted(name for name in ideas if "&" in name))


def _counted(examples: Sequence[Example], kind: str) -> tuple[Any, Any]:
    reader = DictVectorizer(dtype=np.float64)
    counts = reader.fit_transform([getattr(example, kind) for example in examples])
    often = np.asarray((counts > 0).sum(axis=0)).ravel() >= SEEN_AT_LEAST[kind]
    return reader.get_feature_names_out()[often], counts[:, often]


def _scaled(counts: Any) -> Any:
    known = np.maximum(1, np.asarray(counts.sum(axis=1)).ravel())
    return csr_matrix(diags(known ** -0.5) @ counts)


def _strength(rows: Any, wanted: Sequence[bool], weights: Sequence[float]) -> Any:
    model = SGDClassifier(loss="log_loss", alpha=LINEAR_DECAY, class_weight="balanced", max_iter=LINEAR_EPOCHS, tol=None,
                          average=True, random_state=SEED)
    return np.abs(model.fit(rows, wanted, sample_weight=weights).coef_[0])


def _strongest(strength: Any, kept: int) -> Any:
    return np.sort(np.argsort(-strength, kind="stable")[:kept])


def _rows(examples: Sequence[Example], names: Names) -> Any:
    parts = ((names.words, [e.words for e in examples]), (names.ideas + names.pairs, [e.ideas for e in examples]))
    return csr_matrix(hstack([_scaled(_table(known, counts)) for known, counts in parts]), dtype=np.float32)


def _table(known: Sequence[str], counts: Sequence[Counter[str]]) -> Any:
    place = {name: i for i, name in enumerate(known)}
    found = [[(place[name], times) for name, times in of_one.items() if name in place] for of_one in counts]
    ends = np.cumsum([0, *map(len, found)])
    flat = [pair for of_one in found for pair in of_one]
    values, places = [float(times) for _, times in flat], [i for i, _ in flat]
    return csr_matrix((values, places, ends), shape=(len(counts), len(known)))


def _model(examples: Sequence[Example]) -> dict[str, Any]:
    """A net that has learned the kinds of these messages; what one is about helps it to know how it is meant."""
    names = _known(examples)
    wanted = np.array([KINDS.index(_kind(example.message)) for example in examples])
    weights = np.array([_weight(example) for example in examples])
    net = MLPClassifier((HIDDEN,), alpha=DECAY, batch_size=BATCH, learning_rate_init=RATE, max_iter=EPOCHS, tol=0,
                        random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped early: that generalises better
        net.fit(_rows(examples, names), wanted, sample_weight=weights / weights.mean())
    return _packed(net, names)


def _packed(net: Any, names: Names) -> dict[str, Any]:
    first, second = net.coefs_
    scale = [float(f"{value:.6g}") for value in np.quantile(np.abs(first), 0.9995, axis=0) / redflag_model.LARGEST]
    pairs: dict[str, list[str]] = defaultdict(list)
    for one, _, other in (name.partition("&") for name in names.pairs):
        pairs[one].append(other)
    return {"version": VERSION, "digest": corpus.digest(), "kinds": [[KINDS[i][0], KINDS[i][1]] for i in net.classes_],
            "words": "\n".join(names.words), "ideas": "\n".join(names.ideas),
            "pairs": {one: "\n".join(others) for one, others in pairs.items()},
            "rows": redflag_model.pack(first, scale), "scale": scale, "hidden_bias": _short(net.intercepts_[0]),
            "outputs": [_short(row) for row in second], "output_bias": _short(net.intercepts_[1])}


def _short(values: Iterable[float]) -> list[float]:
    return [round(float(value), 5) for value in values]


def _kind(message: Message) -> tuple[str, str]:
    tier = message.tier or ""
    return tier, message.category if message.category in ABOUT[tier] else "other"


def _weight(example: Example) -> float:
    """What rules miss is what the classifier is for."""
    missed = redflags.RANK[example.said] < redflags.RANK[example.message.tier]
    return WEIGHT[example.message.batch] * (MISSED_BY_RULES if missed else 1.0)


def _judged(examples: Sequence[Example], batches: Sequence[int]) -> list[tuple[Example, dict[str, float]]]:
    """The messages of these batches with the scores of a model that saw none of their writers' messages."""
    model = _model([example for example in examples if example.message.batch not in batches])
    classifier.use(redflag_model.model_of({**model, "threshold": dict.fromkeys(FALSE_ALARMS, 0.0)}))
    return [(e, classifier.scores(_heard(e.message.text))) for e in examples if e.message.batch in batches and e.message.part]


def _heard(text: str) -> list[hearing.Heard]:
    return hearing.hear(redflags.read(text))


def _thresholds(judged: Sequence[tuple[Example, dict[str, float]]]) -> dict[str, float]:
    harmless = [found for e, found in judged if e.message.batch in FOREIGN and e.message.tier is None and e.said is None]
    return {tier: _lowest([found[tier] for found in harmless], share) for tier, share in FALSE_ALARMS.items()}


def _lowest(harmless: Sequence[float], share: float) -> float:
    """Rounded down to hundredths: in favour of finding."""
    return math.floor(float(np.quantile(harmless, 1 - share)) * 100) / 100


def _report(judged: Sequence[tuple[Example, dict[str, float]]], threshold: Mapping[str, float]) -> None:
    """The figures of messages that the classifier has not seen, though rules and hints were made with them in sight."""
    for batches in HELD_OUT:
        for language in (*corpus.LANGUAGES, "all"):
            own = [(e.message.tier, _tier(e, found, threshold)) for e, found in judged
                   if e.message.batch in batches and language in (e.message.language, "all")]
            shares = [np.mean([redflags.RANK[got] >= redflags.RANK[least] for tier, got in own if tier == wanted])
                      for wanted, least in (("E", "E"), ("U", "U"), (None, "E"), (None, "U"))]
            sys.stdout.write(f"{batches[0]:2} {language:4} E recall {shares[0]:.3f}  U recall {shares[1]:.3f}"
                             f"  alarms E {shares[2]:.3f}  any {shares[3]:.3f}\n")


def _tier(example: Example, found: Mapping[str, float], threshold: Mapping[str, float]) -> str | None:
    return next((tier for tier in classifier.HIGHER[example.said] if found[tier] > threshold[tier]), example.said)


def _write(model: dict[str, Any]) -> None:
    text = json.dumps(model, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    redflag_model.PATH.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
