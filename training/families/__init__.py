"""The families, one file each.

A family's module has `Params`, what it can be told in `params.yaml`; `LIBRARIES`, what it needs imported;
and `fit(params, rows, seed)`, which returns a `Fitted`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data.contract import Contract


@dataclass(frozen=True)
class Rows:
    """Training and validation rows of a task, inputs as a table and classes as codes."""

    contract: Contract
    train: pd.DataFrame
    train_codes: np.ndarray
    validation: pd.DataFrame
    validation_codes: np.ndarray


class Fitted(Protocol):
    """A fitted native model."""

    tolerance: float
    """Largest difference of a probability that its graph may show."""

    history: list[dict[str, float]]
    """Learning curve: one entry per epoch or iteration, with the same keys in each."""

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """Class probabilities by the native model, shape (rows, classes)."""

    def to_onnx(self) -> Any:
        """An ONNX model with one input per raw column and the output `probabilities`."""

    def save(self, folder: Path) -> None:
        """Write the native model into a folder, without pickles."""
