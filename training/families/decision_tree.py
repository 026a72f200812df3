"""One decision tree (scikit-learn), small enough to read and drawn beside the native model."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from data.params import Strict
from training.class_weight import ClassWeight
from training.families import Rows
from training.scikit.pipeline import Pipeline

LIBRARIES = ("sklearn.compose", "sklearn.tree", "skl2onnx", "skops.io")


class Params(Strict):
    """Parameters of the tree."""

    max_depth: int = Field(5, ge=1, le=40, description="most questions on the way to an answer")
    min_leaf: int = Field(50, ge=1, description="fewest training rows of a leaf")
    criterion: str = Field("gini", pattern="^(gini|entropy)$", description="what a split lowers: gini or entropy")
    class_weight: ClassWeight = None


class DecisionTree(Pipeline):
    """A fitted tree, which is saved with its drawing."""

    def save(self, folder: Path) -> None:
        """Write `model.skops` and `tree.png`."""
        from training.scikit import tree_drawing

        super().save(folder)
        tree_drawing.draw(folder / "tree.png", self.pipeline, self.contract)


def fit(params: Params, rows: Rows, seed: int) -> DecisionTree:
    """Grow the tree, noting the log loss of the tree cut at each depth."""
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    from training import class_weight
    from training.features.preprocessing import for_trees
    from training.scikit import trees_graph

    features, train, validation = for_trees(rows, seed)
    tree = DecisionTreeClassifier(
        max_depth=params.max_depth,
        min_samples_leaf=params.min_leaf,
        criterion=params.criterion,
        class_weight=class_weight.by_code(params.class_weight, rows.contract),
        random_state=seed,
    ).fit(train, rows.train_codes)
    curves = [_losses(tree, X, codes) for X, codes in ((train, rows.train_codes), (validation, rows.validation_codes))]
    history = [{"loss": loss, "validation_loss": other} for loss, other in zip(*curves, strict=True)]
    return DecisionTree(make_pipeline(features, tree), rows.contract, history, trees_graph.forest)


def _losses(tree: Any, X: np.ndarray, codes: np.ndarray) -> list[float]:
    """Log loss of the tree cut at depth 0, 1, …"""
    from sklearn.metrics import log_loss

    path = tree.decision_path(X)
    shares = tree.tree_.value[:, 0, :]
    last = np.diff(path.indptr) - 1
    return [
        float(log_loss(codes, shares[path.indices[path.indptr[:-1] + np.minimum(depth, last)]], labels=tree.classes_))
        for depth in range(tree.get_depth() + 1)
    ]
