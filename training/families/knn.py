"""Nearest neighbours (scikit-learn): the classes of the most alike training rows, which the graph holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from data.contract import Contract
from data.params import Strict
from training.families import Rows
from training.scikit.sample import stratified

LIBRARIES = ("sklearn.compose", "sklearn.neighbors", "skl2onnx", "skops.io")
CURVE_ROWS = 1_000  # rows of each split that the loss is measured on
DISTANCES = 4_000_000  # held at once, some 60 MB with what they are computed from
GRID = 64.0  # features are rounded to 1/64, so that float32 sums their squares exactly and a tie is a tie
FARTHEST = 16.0  # and cut off here, in standard deviations
NEAREST = 1e-3  # squared distance, in steps of the grid, that equal rows are taken to have
LEAST = 1e-6  # probability in the learning curve


class Params(Strict):
    """Parameters of the neighbours."""

    neighbours: int = Field(5, ge=1, description="how many training rows are asked")
    weights: Literal["uniform", "distance"] = Field(
        "distance", description="uniform: all neighbours count alike; distance: by the inverse of their distance"
    )
    max_rows: int = Field(
        5_000, ge=10, description="most training rows kept, drawn at random, as the graph holds and compares them all"
    )
    bins: int | None = Field(None, ge=2, le=1000, description="quantile bins per number; without, numbers are scaled")


@dataclass
class Neighbours:
    """Fitted preprocessing and `KNeighborsClassifier`.

    Of training rows that are equally far, the graph takes the first ones. scikit-learn leaves the choice open, so
    that the probabilities are computed here from its rows.
    """

    features: Any
    classifier: Any
    contract: Contract
    history: list[dict[str, float]]
    tolerance: float = 1e-5

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """Class probabilities by the kept rows, shape (rows, classes)."""
        from training.features.preprocessing import plain

        given, size = on_grid(self.features.transform(plain(inputs, self.contract))), _at_once(self.classifier)
        starts = range(0, max(len(given), 1), size)
        return np.concatenate([self._votes(given[start : start + size]) for start in starts])

    def _votes(self, given: np.ndarray) -> np.ndarray:
        known, codes = self.classifier._fit_X, self.classifier._y
        squared = (given**2).sum(axis=1, keepdims=True) + (known**2).sum(axis=1) - 2 * (given @ known.T)
        # squares are whole numbers, so that of equal ones the place among the rows decides
        order = squared.astype(np.float64) * len(known) + np.arange(len(known))
        nearest = np.argpartition(order, self.classifier.n_neighbors - 1, axis=1)[:, : self.classifier.n_neighbors]
        nearest = np.take_along_axis(nearest, np.take_along_axis(order, nearest, axis=1).argsort(axis=1), axis=1)
        weights = np.ones(nearest.shape)
        if self.classifier.weights == "distance":
            weights = 1 / np.sqrt(np.maximum(np.take_along_axis(squared, nearest, axis=1), np.float32(NEAREST)))
        votes = np.eye(len(self.contract.classes))[codes[nearest]]
        return (votes * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)

    def to_onnx(self) -> Any:
        """Preprocessing by skl2onnx, then distances, the nearest rows and their votes."""
        from training.features import preprocessing as features
        from training.onnx_graph import join
        from training.scikit.in_parts import in_parts

        comparison = in_parts(_graph(self.classifier), _at_once(self.classifier))
        return join(features.convert(self.features, self.contract), comparison)

    def save(self, folder: Path) -> None:
        """Write `features.skops` and `neighbours.skops`, whose rows are features in steps of the grid."""
        import skops.io

        skops.io.dump(self.features, folder / "features.skops")
        skops.io.dump(self.classifier, folder / "neighbours.skops")


def fit(params: Params, rows: Rows, seed: int) -> Neighbours:
    """Keep training rows; the learning curve has one point, the training rows in it being their own neighbours."""
    from sklearn.metrics import log_loss
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import FunctionTransformer

    from training.features.preprocessing import plain, preprocessing

    contract, random = rows.contract, np.random.default_rng(seed)
    image = contract.tensor is not None and contract.tensor.kind == "image"  # whose pixels have one scale already
    features = FunctionTransformer() if image else preprocessing(contract, params.bins, sparse=False)
    kept = stratified(rows.train_codes, params.max_rows, random)
    known = on_grid(features.fit_transform(plain(rows.train.iloc[kept], contract)))
    classifier = KNeighborsClassifier(
        min(params.neighbours, len(kept)), weights=params.weights, algorithm="brute", metric="euclidean"
    ).fit(known, rows.train_codes[kept])
    fitted = Neighbours(features, classifier, contract, [])
    parts = {"loss": (rows.train, rows.train_codes), "validation_loss": (rows.validation, rows.validation_codes)}
    point = {}
    for name, (table, codes) in parts.items():
        some = random.permutation(len(codes))[:CURVE_ROWS]
        said = fitted.probabilities(table.iloc[some]).clip(LEAST)
        point[name] = float(
            log_loss(codes[some], said / said.sum(axis=1, keepdims=True), labels=np.arange(len(contract.classes)))
        )
    fitted.history.append(point)
    return fitted


def on_grid(features: np.ndarray) -> np.ndarray:
    """Features in whole steps of the grid, float32, shape (rows, features)."""
    steps = np.round(features.astype(np.float32) * np.float32(GRID))
    return np.clip(steps, np.float32(-FARTHEST * GRID), np.float32(FARTHEST * GRID))


def _at_once(classifier: Any) -> int:
    """How many rows are compared at a time with all the kept ones."""
    return max(1, DISTANCES // len(classifier._fit_X))


def _node(operator: str, given: list[str], gives: list[str], attributes: dict[str, Any]) -> Any:
    from onnx import helper

    return helper.make_node(operator, given, gives, **attributes)


def _graph(classifier: Any) -> Any:
    """`features` in, `probabilities` out."""
    from onnx import TensorProto, helper, numpy_helper

    known, codes = classifier._fit_X, classifier._y
    votes = np.eye(len(classifier.classes_), dtype=np.float32)[codes]
    limit = FARTHEST * GRID
    constants = {
        "grid": np.array(GRID, dtype=np.float32),
        "low": np.array(-limit, dtype=np.float32),
        "high": np.array(limit, dtype=np.float32),
        "known": np.ascontiguousarray(known.T),
        "known_squared": (known**2).sum(axis=1)[None, :],
        "minus_two": np.array(-2, dtype=np.float32),
        "along": np.array([1]),
        "count": np.array([classifier.n_neighbors]),
        "nearest": np.array(NEAREST, dtype=np.float32),
        "votes": votes,
        "last": np.array([2]),
    }
    nodes = [
        ("Mul", ["features", "grid"], ["scaled"], {}),
        ("Round", ["scaled"], ["rounded"], {}),
        ("Clip", ["rounded", "low", "high"], ["own"], {}),
        ("Mul", ["own", "own"], ["own_each"], {}),
        ("ReduceSum", ["own_each", "along"], ["own_squared"], {"keepdims": 1}),
        ("MatMul", ["own", "known"], ["product"], {}),
        ("Mul", ["product", "minus_two"], ["mixed"], {}),
        ("Add", ["own_squared", "known_squared"], ["both"], {}),
        ("Add", ["both", "mixed"], ["squared"], {}),
        ("TopK", ["squared", "count"], ["least", "place"], {"axis": 1, "largest": 0, "sorted": 1}),
        ("Gather", ["votes", "place"], ["each"], {"axis": 0}),
    ]
    if classifier.weights == "distance":
        nodes += [
            ("Max", ["least", "nearest"], ["apart"], {}),
            ("Sqrt", ["apart"], ["distance"], {}),
            ("Reciprocal", ["distance"], ["weight"], {}),
            ("ReduceSum", ["weight", "along"], ["total"], {"keepdims": 1}),
            ("Div", ["weight", "total"], ["share"], {}),
            ("Unsqueeze", ["share", "last"], ["shares"], {}),
            ("Mul", ["each", "shares"], ["weighted"], {}),
            ("ReduceSum", ["weighted", "along"], ["probabilities"], {"keepdims": 0}),
        ]
    else:
        nodes.append(("ReduceMean", ["each", "along"], ["probabilities"], {"keepdims": 0}))
    graph = helper.make_graph(
        [_node(*node) for node in nodes],
        "neighbours",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, known.shape[1]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, votes.shape[1]])],
        [
            numpy_helper.from_array(value, name)
            for name, value in constants.items()
            if any(name in given for _, given, _, _ in nodes)
        ],
    )
    return helper.make_model(graph)
