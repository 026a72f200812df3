"""A random forest (scikit-learn)."""

from typing import Any

import numpy as np
from pydantic import Field

from data.params import Strict
from training.class_weight import ClassWeight
from training.families import Rows
from training.scikit.pipeline import Pipeline

LIBRARIES = ("sklearn.compose", "sklearn.ensemble", "skl2onnx", "skops.io")
CURVE_ROWS = 5_000  # rows of each split that the learning curve is measured on


class Params(Strict):
    """Parameters of the forest."""

    trees: int = Field(100, ge=1, description="how many trees answer together")
    max_depth: int | None = Field(None, ge=1, description="most questions on the way to an answer; without, no limit")
    min_leaf: int = Field(5, ge=1, description="fewest training rows of a leaf")
    max_features: float = Field(0.3, gt=0, le=1, description="share of the features that a split may choose from")
    max_rows: float = Field(1.0, gt=0, le=1, description="share of the training rows that each tree is shown")
    class_weight: ClassWeight = None


def fit(params: Params, rows: Rows, seed: int) -> Pipeline:
    """Grow the forest, noting the log loss of the first one, two, … trees."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    from training import class_weight
    from training.features.preprocessing import for_trees
    from training.scikit import trees_graph

    features, train, validation = for_trees(rows, seed)
    forest = RandomForestClassifier(
        n_estimators=params.trees,
        max_depth=params.max_depth,
        min_samples_leaf=params.min_leaf,
        max_features=params.max_features,
        max_samples=None if params.max_rows == 1 else params.max_rows,
        class_weight=class_weight.by_code(params.class_weight, rows.contract),
        random_state=seed,
        n_jobs=-1,
        verbose=1,
    ).fit(train, rows.train_codes)
    forest.set_params(verbose=0, n_jobs=1)
    some = np.random.default_rng(seed).permutation(len(train))[:CURVE_ROWS]
    others = np.random.default_rng(seed).permutation(len(validation))[:CURVE_ROWS]
    curves = (
        _losses(forest, train[some], rows.train_codes[some]),
        _losses(forest, validation[others], rows.validation_codes[others]),
    )
    history = [{"loss": loss, "validation_loss": other} for loss, other in zip(*curves, strict=True)]
    return Pipeline(make_pipeline(features, forest), rows.contract, history, trees_graph.forest)


def _losses(forest: Any, X: np.ndarray, codes: np.ndarray) -> list[float]:
    """Log loss of the first tree, of the first two, …"""
    from sklearn.metrics import log_loss

    total = np.zeros((len(X), len(forest.classes_)))
    losses = []
    for number, tree in enumerate(forest.estimators_, start=1):
        total += tree.predict_proba(X)
        losses.append(float(log_loss(codes, total / number, labels=forest.classes_)))
    return losses
