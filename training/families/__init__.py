"""The families, one file each.

A family's module has `Params`, what it can be told in `params.yaml`; `LIBRARIES`, what it needs imported;
and `fit(params, rows, seed)`, which returns a `Fitted`. One that fits on all rows however many there are says so by
`OUT_OF_CORE = True`; the others see a sample of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data.contract import Contract
from training.prepared import Stored

ENSEMBLE = "ensemble"
"""The family whose models stand under `ensembles:` and name other models as their members."""


def unheard(step: int, validation_loss: float) -> None:
    """Take a report and do nothing."""


@dataclass(frozen=True)
class Rows:
    """Training and validation rows of a task, inputs as a table and classes as codes."""

    contract: Contract
    train: pd.DataFrame
    train_codes: np.ndarray
    validation: pd.DataFrame
    validation_codes: np.ndarray
    report: Callable[[int, float], None] = unheard
    """To be called with step and validation loss after each epoch, iteration or part of the trees, the step counting
    from 0.

    It may raise, to end a fit that promises nothing; the family lets that pass.
    """
    every: Stored | None = None
    """All training rows, to read in batches, where `train` and `validation` are samples of too many to hold."""


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
