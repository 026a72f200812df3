"""Which words of a text a graph's probabilities rest on: what they lose when a word is left out."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from training.graph import Graph

ROWS = 2000  # texts that words are looked for in
TRIED = 30  # words: those whose texts the graph answers most unlike the others
TEXTS = 20  # that a word must be in, and that it is left out of
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Word:
    """A word, the place of the class that it speaks for, and what the class's probability loses without it."""

    word: str
    code: int
    drop: float
    """The mean over texts."""
    deviation: float
    """The standard deviation over texts."""


def measure(graph: Graph, texts: list[str], probabilities: np.ndarray) -> list[Word]:
    """The words that matter most, most first; none where no word is in enough texts.

    Args:
        graph: what answers; a text is its only input.
        texts: of the rows.
        probabilities: what the graph gave for them, shape (rows, classes).
    """
    texts, given = texts[:ROWS], probabilities[:ROWS].astype(np.float64)
    holders: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        for word in dict.fromkeys(WORD.findall(text.lower())):
            holders[word].append(place)
    ordinary, spread = given.mean(axis=0), given.std(axis=0) + np.finfo(np.float64).eps
    tried = []
    for word, places in holders.items():
        if len(places) >= TEXTS:
            unlike = (given[places].mean(axis=0) - ordinary) / spread * np.sqrt(len(places))
            tried.append((float(unlike.max()), word, int(unlike.argmax()), places[:TEXTS]))
    tried = sorted(tried, reverse=True)[:TRIED]
    if not tried:
        return []
    without = [_without(texts[place], word) for _, word, _, places in tried for place in places]
    (name,) = graph.kinds
    left = graph.score({name: np.array(without, dtype=object)})[1].reshape(len(tried), TEXTS, -1)
    found = []
    for (_, word, code, places), answers in zip(tried, left, strict=True):
        lost = given[places, code] - answers[:, code]
        found.append(Word(word, code, float(lost.mean()), float(lost.std())))
    return sorted(found, key=lambda one: -one.drop)


def _without(text: str, word: str) -> str:
    return re.sub(rf"\b{re.escape(word)}\b", " ", text, flags=re.IGNORECASE)
