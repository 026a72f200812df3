"""How a label follows from class probabilities: the highest, a threshold, or the least expected cost."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from data import params
from data.contract import Contract
from data.errors import InputError

PRECISION = 2.0**-30
"""Expected costs are rounded to this, so that equal sums added up in another order stay a tie."""


@dataclass(frozen=True)
class Decision:
    """The rule that the graph's labels follow."""

    rule: Literal["highest", "threshold", "cost"] = "highest"
    aim: str | None = None
    """What a threshold was chosen for on the validation rows."""
    threshold: float | None = None
    """Least probability, a float32, that the last of two classes is answered from."""
    costs: tuple[tuple[float, ...], ...] | None = None
    """Cost of each predicted class (inner) for each actual class, in the order of the classes."""

    def codes(self, probabilities: np.ndarray) -> np.ndarray:
        """The classes, int64, shape (rows,), that probabilities of shape (rows, classes) lead to.

        They are compared as float32, as the graph does; the first of equally good classes is taken.
        """
        p = probabilities.astype(np.float32)
        if self.rule == "threshold":
            return (p[:, 1] >= np.float32(self.threshold or 0)).astype(np.int64)
        if self.rule == "cost":
            return np.round(self._expected(p)).argmin(axis=1)
        return p.argmax(axis=1)

    def margin(self, probabilities: np.ndarray) -> np.ndarray:
        """How far a row's probabilities are from another label, shape (rows,)."""
        p = probabilities.astype(np.float64)
        if self.rule == "threshold":
            return np.abs(p[:, 1] - (self.threshold or 0))
        if self.rule == "cost":
            lowest = np.sort(self._expected(p), axis=1)
            return (lowest[:, 1] - lowest[:, 0]) / np.abs(self.scaled_costs()).sum(axis=0).max()
        highest = np.sort(p, axis=1)
        return highest[:, -1] - highest[:, -2]

    def scaled_costs(self) -> np.ndarray:
        """The costs in units of `PRECISION`, float64, shape (classes, classes)."""
        return np.array(self.costs, dtype=np.float64) / PRECISION

    def _expected(self, p: np.ndarray) -> np.ndarray:
        return p.astype(np.float64) @ self.scaled_costs()

    def to_json(self) -> str:
        """The decision as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_record(cls, content: dict[str, Any]) -> "Decision":
        """The decision from what `asdict` or JSON made of it."""
        costs = content.get("costs")
        return cls(**content | {"costs": tuple(map(tuple, costs)) if costs else None})

    def describe(self, classes: tuple[str, ...]) -> str:
        """The rule in words."""
        if self.rule == "threshold":
            chosen = {"f1": ", the best F1 on validation rows", "cost": ", the least cost on validation rows"}
            return f"{classes[1]} from a probability of {self.threshold:.4g}{chosen.get(self.aim or '', '')}"
        return "the least expected cost" if self.rule == "cost" else "the highest probability"


HIGHEST = Decision()


def check(declared: params.Decision | None, contract: Contract, weighted: bool) -> None:
    """Refuse a decision that does not go with the classes.

    Args:
        declared: the task's `decision`.
        contract: names the classes.
        weighted: whether the model is to be fitted with class weights.

    Raises:
        InputError: a class of the costs is unknown, or the rule needs two classes or no class weights.
    """
    if declared is None:
        return
    key, classes = f"{params.PARAMS}: tasks.{contract.task}.decision", contract.classes
    costs = declared.costs or {}
    named = [*costs, *(name for row in costs.values() for name in row)]
    if unknown := [name for name in named if name not in classes]:
        raise InputError(f"{key}.costs: the target has no class {unknown[0]!r}; it has {', '.join(classes)}")
    if len(classes) > 2 and not costs:
        given = f"threshold: {declared.threshold:g}" if declared.aim is None else f"aim: {declared.aim}"
        raise InputError(
            f"{key}: {given} needs two classes and {contract.task} has {len(classes)}; "
            "declare aim: cost with costs, or leave decision out"
        )
    if len(classes) > 2 and weighted:
        raise InputError(
            f"{key}: class_weight changes the probabilities that the least expected cost is worked out from; "
            "remove class_weight from the model, or decision from the task"
        )


def cost_matrix(declared: params.Decision | None, classes: tuple[str, ...]) -> np.ndarray | None:
    """The declared costs, shape (actual, predicted); a mistake that is not named costs 1, a right answer nothing."""
    if declared is None or declared.costs is None:
        return None
    return np.array(
        [
            [declared.costs.get(actual, {}).get(predicted, float(actual != predicted)) for predicted in classes]
            for actual in classes
        ]
    )


def choose(
    declared: params.Decision | None, contract: Contract, probabilities: Callable[[], np.ndarray], codes: np.ndarray
) -> Decision:
    """The decision that a task declares; a threshold with an aim is chosen here.

    Args:
        declared: the task's `decision`, or None for the highest probability.
        contract: names the classes.
        probabilities: gives those of the validation rows, shape (rows, classes), where they are needed.
        codes: true classes of the validation rows, shape (rows,).
    """
    if declared is None:
        return HIGHEST
    matrix = cost_matrix(declared, contract.classes)
    costs = None if matrix is None else tuple(map(tuple, matrix.tolist()))
    if len(contract.classes) > 2:
        return Decision("cost", "cost", None, costs)
    threshold = declared.threshold
    if threshold is None:
        threshold = best_threshold(probabilities()[:, 1], codes == 1, matrix)
    return Decision("threshold", declared.aim, float(np.float32(threshold)), costs)


def best_threshold(score: np.ndarray, truth: np.ndarray, costs: np.ndarray | None) -> float:
    """The threshold with the best F1 or, given costs, the least cost; of equally good ones the nearest to one half.

    Args:
        score: probability of the positive class, shape (rows,).
        truth: whether a row is positive, bool, shape (rows,).
        costs: shape (2, 2), actual by predicted.
    """
    values, place = np.unique(score.astype(np.float32), return_inverse=True)
    rows = np.bincount(place, minlength=len(values))
    positives = np.bincount(place, truth, minlength=len(values))
    # cut k answers "positive" from the k-th distinct score on; the last one never does
    found = np.r_[np.cumsum(positives[::-1])[::-1], 0]
    named = np.r_[np.cumsum(rows[::-1])[::-1], 0]
    if costs is None:
        worth = 2 * found / (named + positives.sum())
    else:
        missed, false, others = positives.sum() - found, named - found, len(score) - positives.sum()
        worth = -(costs[1, 1] * found + costs[1, 0] * missed + costs[0, 1] * false + costs[0, 0] * (others - false))
    above = np.r_[values, np.nextafter(np.float32(1), np.float32(2))].astype(np.float32)
    below = np.r_[np.float32(0), values].astype(np.float32)
    cuts = (above / 2 + below / 2).astype(np.float32)
    cuts = np.where(cuts > below, cuts, above)  # between neighbouring float32 there is no middle
    best = np.flatnonzero(np.isclose(worth, worth.max(), rtol=1e-12, atol=0))
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])
