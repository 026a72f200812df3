"""A fitted model that is a scikit-learn pipeline: preprocessing, then a classifier."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.contract import Contract


@dataclass
class Pipeline:
    """What most of scikit-learn's families give back."""

    pipeline: Any
    contract: Contract
    history: list[dict[str, float]]
    classifier_graph: Callable[[Any], Any] | None = None
    """Makes the classifier's ONNX model, `features` to `probabilities`; without, skl2onnx converts it too."""
    tolerance: float = 1e-5

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """Class probabilities by scikit-learn, shape (rows, classes)."""
        from training.features.preprocessing import plain

        return self.pipeline.predict_proba(plain(inputs, self.contract))

    def to_onnx(self) -> Any:
        """The preprocessing, converted by skl2onnx, and the classifier behind it."""
        from training.features.preprocessing import convert
        from training.onnx_graph import join

        if self.classifier_graph is None:
            return convert(self.pipeline, self.contract, zipmap=False)
        return join(convert(self.pipeline[:-1], self.contract), self.classifier_graph(self.pipeline[-1]))

    def save(self, folder: Path) -> None:
        """Write `model.skops`."""
        import skops.io

        skops.io.dump(self.pipeline, folder / "model.skops")
