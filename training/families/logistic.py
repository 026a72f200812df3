"""Logistic regression (scikit-learn) on binned or scaled numbers and one-hot categories."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from data.contract import Contract
from data.params import Strict
from training.families import Rows

LIBRARIES = ("sklearn.callback", "sklearn.compose", "sklearn.linear_model", "skl2onnx", "skops.io")
CURVE_ROWS = 20_000  # training rows that the learning curve is measured on


class Params(Strict):
    """Parameters of the logistic regression."""

    C: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")
    max_iter: int = Field(200, ge=1, description="most iterations of L-BFGS")
    bins: int | None = Field(None, ge=2, le=1000, description="quantile bins per number; without, numbers are scaled")


@dataclass
class Logistic:
    """A fitted pipeline of preprocessing and logistic regression."""

    pipeline: Any
    contract: Contract
    history: list[dict[str, float]]
    tolerance: float = 1e-5

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """Class probabilities by scikit-learn, shape (rows, classes)."""
        from training.features import plain

        return self.pipeline.predict_proba(plain(inputs, self.contract))

    def to_onnx(self) -> Any:
        """The pipeline, converted by skl2onnx."""
        from training.features import convert

        return convert(self.pipeline, self.contract, zipmap=False)

    def save(self, folder: Path) -> None:
        """Write `model.skops`."""
        import skops.io

        skops.io.dump(self.pipeline, folder / "model.skops")


def fit(params: Params, rows: Rows, seed: int) -> Logistic:
    """Fit with L-BFGS, noting the log loss on training and validation rows at each iteration."""
    from sklearn.callback import ProgressBar, ScoringMonitor
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline

    from training.features import plain, preprocessing

    features = preprocessing(rows.contract, params.bins, sparse=True)
    train = features.fit_transform(plain(rows.train, rows.contract))
    validation = features.transform(plain(rows.validation, rows.contract))
    some = np.random.default_rng(seed).permutation(len(rows.train))[:CURVE_ROWS]
    curve_of = {
        "loss": (train[some], rows.train_codes[some]),
        "validation_loss": (validation, rows.validation_codes),
    }
    classes = np.arange(len(rows.contract.classes))

    steps_done = count()

    def losses(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        found = {
            name: log_loss(codes, estimator.predict_proba(X), labels=classes) for name, (X, codes) in curve_of.items()
        }
        rows.report(next(steps_done), found["validation_loss"])
        return found

    monitor = ScoringMonitor(scoring=losses)
    regression = LogisticRegression(C=params.C, max_iter=params.max_iter)
    regression.set_callbacks(monitor, ProgressBar()).fit(train, rows.train_codes)
    steps = [entry for entry in monitor.get_logs().data if entry["parent_task_id_path"]]
    history = [{name: float(step[name]) for name in curve_of} for step in steps]
    regression.set_callbacks()
    return Logistic(make_pipeline(features, regression), rows.contract, history)
