"""Texts as rows of word ids; `words_graph` computes the same in ONNX."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from data.params import Strict
from training.features import inputs
from training.features.preprocessing import WORD

PADDING, UNKNOWN, FIRST = 0, 1, 2


class Reading(Strict):
    """How much of the texts a network reads."""

    words: int = Field(10_000, ge=1, description="most frequent words of the training texts that are known")
    length: int = Field(192, ge=2, description="words of a text that are read")
    head: int = Field(64, ge=0, description="of a longer text, how many are its first; the others are its last")

    @model_validator(mode="after")
    def _head_is_no_longer_than_the_text(self) -> "Reading":
        if self.head > self.length:
            raise ValueError(f"head ({self.head}) is more than length ({self.length})")
        return self


@dataclass(frozen=True)
class Vocabulary:
    """The words that a network knows, and how long a text it reads.

    Id 0 is padding, 1 an unknown word; the words begin at 2. Of a text that is too long, the first `head` words
    and as many of the last ones as fit are read.
    """

    words: tuple[str, ...]
    length: int
    head: int

    @property
    def size(self) -> int:
        """How many ids there are."""
        return FIRST + len(self.words)

    def ids(self, texts: pd.Series) -> np.ndarray:
        """Word ids, int64, shape (rows, length), short texts padded on the right."""
        known = {word: place for place, word in enumerate(self.words, FIRST)}
        found = np.full((len(texts), self.length), PADDING, dtype=np.int64)
        for row, words in enumerate(split(texts)):
            if len(words) > self.length:
                words = words[: self.head] + words[len(words) - self.length + self.head :]
            found[row, : len(words)] = [known.get(word, UNKNOWN) for word in words]
        return found


def split(texts: pd.Series) -> Iterable[list[str]]:
    """The words of each text, in lower case."""
    word = re.compile(WORD)
    return (word.findall(text) for text in inputs.lower(texts))


def learn(texts: pd.Series, reading: Reading) -> Vocabulary:
    """The most frequent words of some texts; of equally frequent ones, the first in the alphabet."""
    counts = Counter(word for words in split(texts) for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return Vocabulary(tuple(ranked[: reading.words]), reading.length, reading.head)
