"""What the classifier has learned, as scripts/train_redflags.py left it in redflag_model.json: a net with one hidden layer.

Each feature has a row of weights, one byte for each hidden unit; what a message says is the sum of its rows.
"""

import gc
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Counts = NDArray[np.integer]
LARGEST = 127
NO_ROW = -1  # the last one: it says nothing
PATH = Path(__file__).with_name("redflag_model.json")


@dataclass(frozen=True)
class Model:
    """`words` and `ideas` hold, by n-gram or idea, the place of its row in `rows`; `pairs` those of two ideas close together, by
    their numbers in `partners`, where NO_ROW stands for none.

    `kinds` names what each output stands for, a tier and a category: those of E first, then of U, then of none. `threshold` is
    by tier.
    """

    version: str
    digest: str
    threshold: dict[str, float]
    kinds: tuple[tuple[str, str], ...]
    words: dict[str, int]
    ideas: dict[str, int]
    partners: dict[str, int]
    pairs: NDArray[np.int32]
    rows: NDArray[np.int8]
    scale: Floats
    hidden_bias: Floats
    outputs: Floats
    output_bias: Floats

    def logits(self, sums: Floats) -> Floats:
        """Of sums of rows."""
        hidden = np.maximum(0, sums * self.scale + self.hidden_bias)
        found: Floats = hidden @ self.outputs + self.output_bias
        return found


def load(path: Path) -> Model:
    """The collector would look through 60,000 new names again and again, a quarter of the time, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return model_of(json.loads(path.read_text(encoding="utf-8")))
    finally:
        if was_on:
            gc.enable()


def model_of(data: Mapping[str, Any]) -> Model:
    """Rows are in the order of the names: words, ideas, pairs; pairs are kept by their first idea."""
    words = data["words"].split("\n")
    ideas = data["ideas"].split("\n")
    pairs = {one: names.split("\n") for one, names in data["pairs"].items()}
    partners = {name: number for number, name in enumerate(dict.fromkeys(chain(pairs, *pairs.values())))}
    outputs = np.array(data["outputs"], dtype=np.float64)
    return Model(data["version"], data["digest"], data["threshold"], tuple((tier, category) for tier, category in data["kinds"]),
                 dict(zip(words, range(len(words)), strict=True)),
                 dict(zip(ideas, range(len(words), len(words) + len(ideas)), strict=True)),
                 partners, _places(pairs, partners, len(words) + len(ideas)),
                 unpack(data["rows"], len(data["scale"])), np.array(data["scale"], dtype=np.float64),
                 np.array(data["hidden_bias"], dtype=np.float64), outputs,
                 np.array(data["output_bias"], dtype=np.float64))


def _places(pairs: Mapping[str, Sequence[str]], partners: Mapping[str, int], first: int) -> NDArray[np.int32]:
    """Either way round: which of the two was said first is no matter."""
    table = np.full((len(partners), len(partners)), NO_ROW, dtype=np.int32)
    for one, others in pairs.items():
        numbers = [partners[other] for other in others]
        table[partners[one], numbers] = table[numbers, partners[one]] = range(first, first + len(others))
        first += len(others)
    return table


def pack(rows: Floats, scale: Sequence[float]) -> str:
    whole = np.clip(np.rint(rows / np.array(scale, dtype=np.float32)), -LARGEST, LARGEST).astype(np.int8)
    return b64encode(whole.tobytes()).decode()


def unpack(packed: str, width: int) -> NDArray[np.int8]:
    return np.frombuffer(b64decode(packed), dtype=np.int8).reshape(-1, width)
