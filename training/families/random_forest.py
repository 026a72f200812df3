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
    from training.scikit import growth, trees_graph

    features, train, validation = for_trees(rows, seed)
    weights = class_weight.of_classes(params.class_weight, rows.contract, rows.train_codes)
    forest = RandomForestClassifier(
        max_depth=params.max_depth,
        min_samples_leaf=params.min_leaf,
        max_features=params.max_features,
        max_samples=None if params.max_rows == 1 else params.max_rows,
        class_weight=dict(enumerate(weights)) if params.class_weight else None,
        random_state=seed,
        n_jobs=-1,
        warm_start=True,
    )
    some = np.random.default_rng(seed).permutation(len(train))[:CURVE_ROWS]
    others = np.random.default_rng(seed).permutation(len(validation))[:CURVE_ROWS]
    curves = {
        "loss": _Curve(train[some], rows.train_codes[some]),
        "validation_loss": _Curve(validation[others], rows.validation_codes[others]),
    }
    history: list[dict[str, float]] = []
    for step, trees in growth.parts(params.trees):
        forest.set_params(n_estimators=trees).fit(train, rows.train_codes)
        history += [
            {name: curve.with_another(tree) for name, curve in curves.items()}
            for tree in forest.estimators_[len(history) :]
        ]
        loss = history[-1]["validation_loss"]
        print(f"{trees} of {params.trees} trees: validation loss {loss:.5f}", flush=True)
        rows.report(step, loss)
    forest.set_params(n_jobs=1, warm_start=False)
    return Pipeline(make_pipeline(features, forest), rows.contract, history, trees_graph.forest)


class _Curve:
    """The log loss of the first tree, of the first two, …"""

    def __init__(self, X: np.ndarray, codes: np.ndarray) -> None:
        self.X, self.codes, self.trees, self.total = X, codes, 0, np.float64(0)

    def with_another(self, tree: Any) -> float:
        from sklearn.metrics import log_loss

        self.total = self.total + tree.predict_proba(self.X)
        self.trees += 1
        return float(log_loss(self.codes, self.total / self.trees, labels=tree.classes_))
