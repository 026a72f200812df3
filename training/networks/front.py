"""What stands before a Keras network: table features, an image or sequence, or word ids; natively and as ONNX."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data.contract import Contract
from training.features import words
from training.features.words import Reading, Vocabulary

FEATURES, SCALE, VOCABULARY = "features.skops", "scale.json", "vocabulary.json"
TRUSTED = ["numpy.dtype"]  # what skops would not load otherwise


class Front(Protocol):
    """A fitted way from raw columns to the one array that a network takes."""

    def arrays(self, rows: pd.DataFrame) -> np.ndarray:
        """The network's input, shape (rows, ...)."""

    def to_onnx(self) -> Any:
        """The same as an ONNX model with one input per raw column and one output."""

    def save(self, folder: Path) -> None:
        """Write what was learnt from the training rows, without pickles."""


@dataclass
class Features:
    """Preprocessing by scikit-learn: one row of numbers."""

    preprocessing: Any
    contract: Contract

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> "Features":
        """What `save` wrote."""
        import skops.io

        return cls(skops.io.load(folder / FEATURES, trusted=TRUSTED), contract)

    def arrays(self, rows: pd.DataFrame) -> np.ndarray:
        """Features, float32, shape (rows, features)."""
        from training.features.preprocessing import plain

        return self.preprocessing.transform(plain(rows, self.contract))

    def to_onnx(self) -> Any:
        """The preprocessing, converted by skl2onnx."""
        from training.features import preprocessing as features

        return features.convert(self.preprocessing, self.contract)

    def save(self, folder: Path) -> None:
        """Write `features.skops`."""
        import skops.io

        skops.io.dump(self.preprocessing, folder / FEATURES)


@dataclass
class Tensor:
    """An image, scaled to 0…1, or a sequence, each channel scaled to mean 0 and deviation 1."""

    contract: Contract
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def learn(cls, rows: pd.DataFrame, contract: Contract) -> "Tensor":
        """Mean and deviation of a sequence's channels; an image keeps 0 and 1."""
        from training.features import inputs

        column = contract.columns[0]
        if column.kind == "image":
            return cls(contract, np.zeros(1, np.float32), np.ones(1, np.float32))
        values = inputs.tensor(rows, column).astype(np.float64)
        deviation = values.std(axis=(0, 1))
        deviation[deviation == 0] = 1.0
        return cls(contract, values.mean(axis=(0, 1)).astype(np.float32), deviation.astype(np.float32))

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> "Tensor":
        """What `save` wrote."""
        content = json.loads((folder / SCALE).read_text(encoding="utf-8"))
        return cls(contract, *(np.array(content[name], np.float32) for name in ("mean", "deviation")))

    def arrays(self, rows: pd.DataFrame) -> np.ndarray:
        """Values, float32, shape (rows, *shape)."""
        from training.features import inputs

        return (inputs.tensor(rows, self.contract.columns[0]) - self.mean) / self.deviation

    def to_onnx(self) -> Any:
        """The scaling as nodes."""
        from training.features import inputs_graph

        return inputs_graph.tensor(self.contract, self.mean, self.deviation)

    def save(self, folder: Path) -> None:
        """Write `scale.json`."""
        content = {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}
        (folder / SCALE).write_text(json.dumps(content) + "\n", encoding="utf-8")


@dataclass
class Words:
    """A text as ids of its words."""

    vocabulary: Vocabulary
    contract: Contract

    @classmethod
    def learn(cls, rows: pd.DataFrame, contract: Contract, reading: Reading) -> "Words":
        """The vocabulary of the rows' texts."""
        return cls(words.learn(rows[contract.names[0]], reading), contract)

    @classmethod
    def load(cls, folder: Path, contract: Contract, reading: Reading) -> "Words":
        """The words that `save` wrote, of texts as long as `reading` says."""
        known = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))["words"]
        return cls(Vocabulary(tuple(known), reading.length, reading.head), contract)

    def arrays(self, rows: pd.DataFrame) -> np.ndarray:
        """Word ids, int64, shape (rows, length)."""
        return self.vocabulary.ids(rows[self.contract.names[0]])

    def to_onnx(self) -> Any:
        """Tokeniser and vocabulary as nodes."""
        from training.features import words_graph

        return words_graph.ids(self.contract, self.vocabulary)

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json`."""
        text = json.dumps(asdict(self.vocabulary), ensure_ascii=False)
        (folder / VOCABULARY).write_text(text + "\n", encoding="utf-8")
