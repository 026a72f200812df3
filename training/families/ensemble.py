"""Declared models that answer together, merged into one graph; an ensemble stands under `ensembles:`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from data.contract import Contract
from data.params import Strict
from training.families import Rows
from training.graph import Graph

LIBRARIES = ("sklearn.linear_model", "onnx")
CURVE_ROWS = 20_000  # training rows that the loss is measured on
MOST_ROUNDS = 1_000  # of fitting weights
LEAST = 1e-6  # probability that a member is taken to give at least, before its logarithm


class Params(Strict):
    """Which models answer together, and how."""

    members: list[str] = Field(min_length=2, description="names of models of the same task")
    combine: Literal["vote", "stack"] = Field(
        "vote",
        description="vote: the members' probabilities, averaged; stack: a logistic regression on their logarithms, "
        "fitted on the validation rows",
    )
    weights: Literal["equal", "fitted"] | list[Annotated[float, Field(ge=0)]] = Field(
        "equal", description="of vote: equal, given one by one, or fitted: those with the least validation loss"
    )
    C: float = Field(1.0, gt=0, description="of stack: inverse strength of the L2 penalty")

    @model_validator(mode="after")
    def _one_weight_each(self) -> "Params":
        if len(set(self.members)) < len(self.members):
            raise ValueError("a member is named twice; remove one")
        if isinstance(self.weights, list) and (len(self.weights) != len(self.members) or not sum(self.weights)):
            raise ValueError(f"weights must be {len(self.members)} numbers, one for each member, not all 0")
        return self


@dataclass
class Ensemble:
    """The members' graphs and what makes one answer of theirs."""

    members: list[str]
    graphs: list[Graph]
    weights: np.ndarray
    """Of a vote: shape (members,), adding up to 1. Of a stack: shape (members * classes, classes)."""
    bias: np.ndarray | None
    """Of a stack: shape (classes,)."""
    contract: Contract
    history: list[dict[str, float]]
    tolerance: float = 1e-5

    def probabilities(self, inputs: pd.DataFrame) -> np.ndarray:
        """The members' graphs, combined in NumPy; shape (rows, classes)."""
        from training import members

        return combined(members.probabilities(self.graphs, inputs), self.weights, self.bias)

    def to_onnx(self) -> Any:
        """All members' graphs and their combination, as one."""
        from onnx import TensorProto, helper, numpy_helper

        from training import members

        model, given = members.merged(self.members, self.contract.task)
        graph = model.graph

        def add(operator: str, *inputs: Any, **attributes: Any) -> str:
            name = f"combine/{len(graph.node)}"
            for place, value in enumerate(inputs):
                if not isinstance(value, str):
                    graph.initializer.append(numpy_helper.from_array(value, f"{name}/{place}"))
            names = [value if isinstance(value, str) else f"{name}/{place}" for place, value in enumerate(inputs)]
            graph.node.append(helper.make_node(operator, names, [name], name=f"node/{name}", **attributes))
            return name

        if self.bias is None:
            answer = add(
                "Sum",
                *(add("Mul", name, np.float32(weight)) for name, weight in zip(given, self.weights, strict=True)),
            )
        else:
            logs = (add("Log", add("Max", name, np.float32(LEAST))) for name in given)
            raw = add("MatMul", add("Concat", *logs, axis=1), self.weights.astype(np.float32))
            answer = add("Softmax", add("Add", raw, self.bias.astype(np.float32)), axis=1)
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(answer, TensorProto.FLOAT, [None, None]))
        return model

    def save(self, folder: Path) -> None:
        """Write `ensemble.json`: the members, and the weights of their answers."""
        content = {
            "members": self.members,
            "weights": self.weights.tolist(),
            "bias": None if self.bias is None else self.bias.tolist(),
        }
        (folder / "ensemble.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def fit(params: Params, rows: Rows, seed: int) -> Ensemble:
    """Weigh the members; only validation rows are fitted on, since the members have seen the training rows.

    The learning curve has the log loss of the first member, of the first two, …, and last of the whole.

    Raises:
        InputError: a member is not trained.
    """
    from sklearn.metrics import log_loss

    from training import members

    graphs = members.found(params.members, rows.contract)
    some = np.sort(np.random.default_rng(seed).permutation(len(rows.train))[:CURVE_ROWS])
    said = members.probabilities(graphs, rows.validation)
    parts = (
        ("loss", members.probabilities(graphs, rows.train.iloc[some]), rows.train_codes[some]),
        ("validation_loss", said, rows.validation_codes),
    )
    count = len(graphs)
    bias = None
    if params.combine == "stack":
        weights, bias = _stacked(said, rows.validation_codes, params.C)
    elif params.weights == "fitted":
        weights = _fitted(said, rows.validation_codes)
    else:
        given = np.ones(count) if params.weights == "equal" else np.array(params.weights)
        weights = given / given.sum()

    classes = np.arange(len(rows.contract.classes))

    def losses(first: int) -> dict[str, float]:
        share = np.full(first, 1 / first)
        found = {}
        for name, said, codes in parts:
            answer = combined(said, weights, bias) if first == count else combined(said[:first], share, None)
            found[name] = float(log_loss(codes, answer / answer.sum(axis=1, keepdims=True), labels=classes))
        return found

    history = [losses(first) for first in range(1, count + 1)]
    return Ensemble(params.members, graphs, weights, bias, rows.contract, history)


def combined(said: np.ndarray, weights: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """One answer of the members', shape (rows, classes).

    Args:
        said: the members' probabilities, shape (members, rows, classes).
        weights: of a vote, shape (members,); of a stack, shape (members * classes, classes).
        bias: of a stack, shape (classes,); None for a vote.
    """
    if bias is None:
        return np.tensordot(weights, said, axes=1)
    from scipy.special import softmax

    return softmax(_logarithms(said) @ weights + bias, axis=1)


def _logarithms(said: np.ndarray) -> np.ndarray:
    return np.concatenate(list(np.log(np.maximum(said, LEAST))), axis=1)


def _stacked(said: np.ndarray, codes: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    stack = LogisticRegression(C=C, max_iter=1000).fit(_logarithms(said), codes)
    if len(stack.coef_) > 1:
        return stack.coef_.T, stack.intercept_
    nothing = np.zeros_like(stack.coef_)  # of two classes, scikit-learn keeps the second's row only
    return np.vstack([nothing, stack.coef_]).T, np.r_[0.0, stack.intercept_]


def _fitted(said: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Weights from 0 on, adding up to 1, with the least log loss, found by expectation and maximisation."""
    right = said[:, np.arange(len(codes)), codes].clip(LEAST)
    weights = np.full(len(said), 1 / len(said))
    for _ in range(MOST_ROUNDS):
        part = weights[:, None] * right
        better = (part / part.sum(axis=0)).mean(axis=1)
        done = np.abs(better - weights).max() < 1e-6
        weights = better
        if done:
            break
    return weights
