"""Logistic regression (scikit-learn) on binned or scaled numbers and one-hot categories."""

from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
from pydantic import Field

from data.params import Strict
from training.class_weight import ClassWeight, by_code, of_classes
from training.families import Rows
from training.features.augmentation import Augmentation, augmented
from training.prepared import Stored
from training.scikit.pipeline import Pipeline

OUT_OF_CORE = True
LIBRARIES = ("sklearn.callback", "sklearn.compose", "sklearn.linear_model", "skl2onnx", "skops.io")
CURVE_ROWS = 20_000  # training rows that the learning curve is measured on


class Params(Strict):
    """Parameters of the logistic regression."""

    C: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")
    max_iter: int = Field(200, ge=1, description="most iterations of L-BFGS")
    bins: int | None = Field(None, ge=2, le=1000, description="quantile bins per number; without, numbers are scaled")
    class_weight: ClassWeight = None
    augmentation: Augmentation | None = None


def fit(params: Params, rows: Rows, seed: int) -> Pipeline:
    """Fit with L-BFGS, noting the log loss on training and validation rows at each iteration."""
    from sklearn.callback import ProgressBar, ScoringMonitor
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline

    from training.features.preprocessing import plain, preprocessing

    features = preprocessing(rows.contract, params.bins, sparse=True)
    random = np.random.default_rng(seed)
    if rows.every:
        return _fit_out_of_core(params, rows, rows.every, features, random)
    table, codes = augmented(params.augmentation, rows.train, rows.train_codes, rows.contract, random)
    rows = replace(rows, train=table, train_codes=codes)
    train = features.fit_transform(plain(rows.train, rows.contract))
    validation = features.transform(plain(rows.validation, rows.contract))
    some = random.permutation(len(rows.train))[:CURVE_ROWS]
    curve_of = {
        "loss": (train[some], rows.train_codes[some]),
        "validation_loss": (validation, rows.validation_codes),
    }
    classes = np.arange(len(rows.contract.classes))

    steps_done = count()

    def losses(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
        found = {
            name: log_loss(codes, estimator.predict_proba(X), labels=classes) for name, (X, codes) in curve_of.items()
        }
        rows.report(next(steps_done), found["validation_loss"])
        return found

    weight = by_code(params.class_weight, rows.contract)
    monitor = ScoringMonitor(scoring=losses)
    regression = LogisticRegression(C=params.C, max_iter=params.max_iter, class_weight=weight)
    regression.set_callbacks(monitor, ProgressBar()).fit(train, rows.train_codes)
    steps = [entry for entry in monitor.get_logs().data if entry["parent_task_id_path"]]
    history = [{name: float(step[name]) for name in curve_of} for step in steps]
    regression.set_callbacks()
    return Pipeline(make_pipeline(features, regression), rows.contract, history)


def _fit_out_of_core(params: Params, rows: Rows, every: Stored, features: Any, random: np.random.Generator) -> Pipeline:
    """Fit the preprocessing on the sample and the regression on all rows; validation loss is that of its sample."""
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline

    from training.features.preprocessing import plain
    from training.scikit import out_of_core

    classes, history = len(rows.contract.classes), list[dict[str, float]]()
    features.fit(plain(rows.train, rows.contract))
    validation = features.transform(plain(rows.validation, rows.contract))

    def note(regression: Any, loss: float) -> None:
        probabilities = regression.predict_proba(validation)
        held_out = log_loss(rows.validation_codes, probabilities, labels=np.arange(classes))
        history.append({"loss": loss, "validation_loss": float(held_out)})
        if len(history) % 10 == 0:
            print(f"iteration {len(history)} of at most {params.max_iter}: log loss {loss:.5f}", flush=True)

    grown = (augmented(params.augmentation, some.inputs, some.codes, rows.contract, random) for some in every.batches())
    batches = ((features.transform(plain(inputs, rows.contract)), codes) for inputs, codes in grown)
    with out_of_core.Spool(batches) as spool:
        codes = np.concatenate([codes for _, codes in spool])
        weights = of_classes(params.class_weight, rows.contract, codes)
        regression = out_of_core.fit(spool, classes, params.C, params.max_iter, weights, told=note)
    return Pipeline(make_pipeline(features, regression), rows.contract, history)
