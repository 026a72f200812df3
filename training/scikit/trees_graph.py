"""Trees as one ONNX node that compares as scikit-learn does, missing values included.

skl2onnx's own converters ask for imputed values, and its converter of histogram gradient boosting fails
under protobuf 7.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Tree:
    """A binary tree as arrays, one entry per node: go left if the feature is at most the threshold."""

    left: np.ndarray
    """Place of the left child; 0 in a leaf."""
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    """Whether a missing value goes left."""
    leaf: np.ndarray
    value: np.ndarray
    """What a leaf adds to the targets, shape (nodes, targets)."""

    def targets(self) -> int:
        """How many targets a leaf adds to."""
        return self.value.shape[1]


def of_classifier(tree: Any, share: float = 1.0) -> Tree:
    """A `DecisionTreeClassifier`, or one of a forest that counts for `share` of the answer."""
    parts = tree.tree_
    leaf = parts.children_left < 0
    value = parts.value[:, 0, :]
    return Tree(
        np.where(leaf, 0, parts.children_left),
        np.where(leaf, 0, parts.children_right),
        np.where(leaf, 0, parts.feature),
        np.where(leaf, 0.0, parts.threshold),
        parts.missing_go_to_left.astype(bool),
        leaf,
        value / value.sum(axis=1, keepdims=True) * share,
    )


def of_boosting(predictor: Any, target: int, targets: int) -> Tree:
    """A tree of a `HistGradientBoostingClassifier`, which adds to one of its targets."""
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    value = np.zeros((len(nodes), targets))
    value[:, target] = nodes["value"]
    return Tree(
        np.where(leaf, 0, nodes["left"]),
        np.where(leaf, 0, nodes["right"]),
        np.where(leaf, 0, nodes["feature_idx"]),
        np.where(leaf, 0.0, nodes["num_threshold"]),
        nodes["missing_go_to_left"].astype(bool),
        leaf,
        value,
    )


def forest(estimator: Any) -> onnx.ModelProto:
    """A decision tree or a random forest: `features` in, `probabilities` out."""
    members = getattr(estimator, "estimators_", None) or [estimator]
    trees = [of_classifier(member, 1.0 / len(members)) for member in members]
    return _model(estimator.n_features_in_, [_node(trees, "probabilities")], [])


def boosting(estimator: Any) -> onnx.ModelProto:
    """A `HistGradientBoostingClassifier`: `features` in, `probabilities` out."""
    targets = estimator.n_trees_per_iteration_
    trees = [
        of_boosting(predictor, target, targets)
        for round_ in estimator._predictors
        for target, predictor in enumerate(round_)
    ]
    start = estimator._baseline_prediction.reshape(-1).astype(np.float32)
    nodes = [
        _node(trees, "added"),
        helper.make_node("Add", ["added", "start"], ["raw"]),
    ]
    constants = [numpy_helper.from_array(start, "start")]
    if targets == 1:
        constants.append(numpy_helper.from_array(np.array([[-1.0, 1.0]], dtype=np.float32), "signs"))
        nodes += [
            helper.make_node("Mul", ["raw", "signs"], ["both"]),
            helper.make_node("Sigmoid", ["both"], ["probabilities"]),
        ]
    else:
        nodes.append(helper.make_node("Softmax", ["raw"], ["probabilities"], axis=1))
    return _model(estimator.n_features_in_, nodes, constants)


def _model(features: int, nodes: list[Any], constants: list[Any]) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, None])
    return helper.make_model(helper.make_graph(nodes, "trees", [given], [answer], constants))


def _node(trees: list[Tree], output: str) -> Any:
    sizes = [len(tree.leaf) for tree in trees]
    leaf = np.concatenate([tree.leaf for tree in trees])
    tree_of = np.repeat(np.arange(len(trees)), sizes)
    place = np.concatenate([np.arange(size) for size in sizes])
    value = np.concatenate([tree.value for tree in trees])
    rows, targets = np.nonzero(leaf[:, None] & (value != 0))

    def joined(part: str) -> np.ndarray:
        return np.concatenate([getattr(tree, part) for tree in trees])

    return helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        [output],
        domain="ai.onnx.ml",
        n_targets=trees[0].targets(),
        nodes_treeids=tree_of.tolist(),
        nodes_nodeids=place.tolist(),
        nodes_featureids=joined("feature").tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values=_float32_below(joined("threshold")).tolist(),
        nodes_truenodeids=joined("left").tolist(),
        nodes_falsenodeids=joined("right").tolist(),
        nodes_missing_value_tracks_true=joined("missing_left").astype(int).tolist(),
        target_treeids=tree_of[rows].tolist(),
        target_nodeids=place[rows].tolist(),
        target_ids=targets.tolist(),
        target_weights=value[rows, targets].astype(np.float32).tolist(),
    )


def _float32_below(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 at or below each float64 threshold: a float32 value compares alike with both."""
    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
